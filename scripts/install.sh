#!/bin/sh
# SPDX-License-Identifier: MIT
# Meson takes a relative DESTDIR from the build directory; make from where it stands.
set -eu
case "$2" in
'' | /*) dest=$2 ;;
*) dest=$(pwd)/$2 ;;
esac
DESTDIR=$dest exec meson install -C "$1"
