#!/bin/sh
# SPDX-License-Identifier: MIT
# A long run with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer (needs clang):
#	tests/fuzz/long.sh cpuid|document|fingerprint|model|request|snapshot|trace [SECONDS [BUILD_DIR]]
# What it learns stays in BUILD_DIR/corpus-*; an input that breaks something is
# BUILD_DIR/crash-*, and is run again by BUILD_DIR/tests/fuzz/fuzz_NAME FILE.
set -eu
name=${1:?cpuid, document, fingerprint, model, request, snapshot or trace} seconds=${2:-600} build=${3:-build-fuzz}
source=$(cd "$(dirname "$0")/../.." && pwd)

[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" "$source" -Dbuildtype=debugoptimized \
	-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
ninja -C "$build" "tests/fuzz/fuzz_$name" tests/fuzz/request.dict
cd "$build"
dict=tests/fuzz/$name.dict
[ -f "$dict" ] || dict=$source/$dict
[ "$name" = model ] && dict= # its inputs are not text
mkdir -p "corpus-$name"
[ "$name" = request ] || [ "$name" = fingerprint ] || [ "$name" = model ] || [ "$name" = cpuid ] || [ "$name" = trace ] || cp tests/fuzz/x86.json tests/fuzz/arm64.json "corpus-$name"
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 exec "tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 \
	-rss_limit_mb=2048 -print_final_stats=1 ${dict:+-dict="$dict"} "corpus-$name" "$source/tests/fuzz/corpus/$name"
