#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every test and prints the totals on a line of their own.
set -u
build=${1:-build}
log=$build/meson-logs/testlog.txt

# configured before the tests had what they compare with: once more, so that none is left out
if pkg-config --exists jansson 2>/dev/null && ! grep -q '"jansson"' "$build/meson-info/intro-dependencies.json"; then
	meson setup --reconfigure "$build" >/dev/null && meson compile -C "$build" || exit 1
fi
# a bound is against what never ends, not against a slow or a busy machine
meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 3
status=$?
count() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$log" | tail -n 1; }
ok=$(count Ok) fail=$(count Fail) skip=$(count Skipped) timeout=$(count Timeout)
grep -h '^SKIP: ' "$log" | sort -u
results=$build/tests/kernels/results
if ls "$results"/alive-*.json >/dev/null 2>&1; then
	echo
	python3 "$(dirname "$0")/../tests/kernels/alive.py" --results "$results" --table
fi
if ls "$results"/idregs-*.json >/dev/null 2>&1; then
	echo
	python3 "$(dirname "$0")/../tests/kernels/idregs.py" --results "$results" --table
fi
if ls "$results"/conform-*.json >/dev/null 2>&1; then
	echo
	python3 "$(dirname "$0")/../tests/kernels/conform.py" --results "$results" --table
fi
# lines of their own: what changed on purpose was noticed, sequences on real KVM and on the model
cat "$results"/mutants.txt "$results"/differ-*.txt 2>/dev/null
if ls "$results"/differ-*.json >/dev/null 2>&1; then
	echo
	python3 "$(dirname "$0")/../tests/kernels/differ.py" --results "$results" --table
fi
echo
python3 "$(dirname "$0")/failures.py" "${log%.txt}.json"
echo "${ok:-0} passed, $((${fail:-0} + ${timeout:-0})) failed, ${skip:-0} skipped"
exit $status
