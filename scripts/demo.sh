#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job on this machine's KVM: snapshot, plan, apply, read back, ask the
# guest, and let guests use what they were given and what not. Without a usable
# KVM: a plan against a bundled snapshot, said plainly.
set -u
case "$(uname -m)" in aarch64) arch=arm64 feature=FEAT_RNG ;; *) arch=x86 feature=kvm-pv-eoi ;; esac
tool=${1:-build}/guestcpu
request=${2:-host,-$feature}
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
	echo "why does $feature stand as it does?"
	"$tool" explain -c "$request" "$feature"
	echo
	echo "what happens when guests use it?"
	used=$("$tool" verify --alive -c "$request")
	alive=$?
	# the table of features, which ends with an empty line, and the totals at the end
	echo "$used" | sed -n '/^FEATURE  *PLANNED  *ALIVE /,/^$/p;$p'
	[ $status -ne 0 ] || status=$alive
	exit $status
fi

host=$("$tool" features --hosts | grep "^$arch-" | head -n 1)
echo "no usable KVM here:"
echo "$why" | sed 's/^/  /'
echo "planned against the bundled snapshot $host instead."
echo "Not proven: what a KVM would put in force, what a guest would see, and that"
echo "the features of the plan work and the others are refused: no guest has run."
echo
"$tool" plan -c "$request" --host "$host" --vcpus 2
