#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what a build (or the tests, or Debian packages) needs on Debian and Ubuntu, and nothing
# if it is there already. Not root: prints the command and stops.
set -eu

# what to look for | package
build="cc:gcc file/usr/include/stdio.h:libc6-dev meson:meson ninja:ninja-build pkg-config:pkg-config objcopy:binutils python3:python3"
check="qemu-system-x86_64:qemu-system-x86 qemu-system-aarch64:qemu-system-arm busybox:busybox-static cpio:cpio
 pc/jansson:libjansson-dev xz:xz-utils aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu clang:clang valgrind:valgrind mandoc:mandoc git:git
 py/jsonschema:python3-jsonschema file/usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross clangrt:libclang-rt
 deb/debhelper:debhelper deb/build-essential:build-essential"
deb="deb/debhelper:debhelper deb/build-essential:build-essential"

there() {
	case "$1" in
	pc/*) pkg-config --exists "${1#pc/}" 2>/dev/null ;;
	# packages are built where there are packages
	deb/*) ! command -v dpkg-query >/dev/null 2>&1 || [ "$(dpkg-query -W -f '${db:Status-Status}' "${1#deb/}" 2>/dev/null)" = installed ] ;;
	py/*) /usr/bin/python3 -c "import ${1#py/}" 2>/dev/null ;;
	file/*) [ -e "/${1#file/}" ] ;;
	clangrt) [ -n "$(find /usr/lib/llvm-*/lib/clang -name 'libclang_rt.fuzzer-x86_64.a' -o -name 'libclang_rt.fuzzer-aarch64.a' 2>/dev/null | head -n 1)" ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

# The sanitizer runtime's package carries clang's version in its name.
package() {
	if [ "$1" = libclang-rt ]; then
		v=$(clang --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1)
		[ -n "$v" ] || v=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
		echo "libclang-rt-${v:-14}-dev"
	else
		echo "$1"
	fi
}

missing=
for set in "$@"; do
	case "$set" in build) rows=$build ;; check) rows=$check ;; deb) rows=$deb ;; *) echo "deps: no such set '$set'" >&2; exit 2 ;; esac
	for row in $rows; do
		there "${row%%:*}" || missing="$missing $(package "${row#*:}")"
	done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "needed and not found:$missing (as Debian names them); no apt-get here to install them" >&2
	exit 3
fi
if [ "$(id -u)" != 0 ]; then
	echo "needed and not installed:$missing" >&2
	echo "you are not root; run this, then try again:" >&2
	echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
	exit 3
fi
apt-get update -q >/dev/null
wanted=
for p in $missing; do
	if apt-cache show "$p" >/dev/null 2>&1; then
		wanted="$wanted $p"
	else
		echo "no package $p here: what needs it says so and is skipped" >&2
	fi
done
[ -n "$wanted" ] || exit 0
echo "installing:$wanted"
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted >/dev/null
