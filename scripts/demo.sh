#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job on this machine's KVM: snapshot, plan, apply, read back, ask the
# guest. Without a usable KVM: a plan against a bundled snapshot, said plainly.
set -u
tool=${1:-build}/guestcpu
request=${2:-host,-kvm-pv-eoi}
[ -x "$tool" ] || { echo "$tool is not there: make builds it" >&2; exit 2; }
snap=$(mktemp) || exit 3
trap 'rm -f "$snap"' EXIT

if why=$("$tool" probe -o "$snap" 2>&1 >/dev/null); then
	echo "snapshot of this machine's KVM:"
	sed -n 's/^ "\(name\|hash\)": "\(.*\)",$/  \2/p' "$snap"
	echo
	"$tool" verify -c "$request" --vcpus 2
	status=$?
	echo
	echo "why is kvm-pv-eoi off?"
	"$tool" explain -c "$request" kvm-pv-eoi
	exit $status
fi

case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x86 ;; esac
host=$("$tool" features --hosts | grep "^$arch-" | head -n 1)
echo "no usable KVM here:"
echo "$why" | sed 's/^/  /'
echo "planned against the bundled snapshot $host instead."
echo "Not proven: what a KVM would put in force, and what a guest would see."
echo
"$tool" plan -c "$request" --host "$host" --vcpus 2
