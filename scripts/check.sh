#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every test and prints the totals on a line of their own.
set -u
build=${1:-build}
log=$build/meson-logs/testlog.txt

meson test -C "$build" --no-rebuild --print-errorlogs
status=$?
count() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$log" | tail -n 1; }
ok=$(count Ok) fail=$(count Fail) skip=$(count Skipped) timeout=$(count Timeout)
grep -h '^SKIP: ' "$log" | sort -u
echo
echo "${ok:-0} passed, $((${fail:-0} + ${timeout:-0})) failed, ${skip:-0} skipped"
exit $status
