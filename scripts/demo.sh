#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job: snapshot, plan, apply, read back, ask the guest, and let guests use what they were
# given and what not. On this machine's KVM; without a usable one on a software KVM, said plainly.
set -u
case "$(uname -m)" in aarch64) arch=arm64 feature=FEAT_RNG ;; *) arch=x86 feature=kvm-pv-eoi ;; esac
tool=${1:-build}/guestcpu
request=${2:-host,-$feature}
[ -x "$tool" ] || { echo "$tool is not there: make builds it" >&2; exit 2; }
snap=$(mktemp) || exit 3
trap 'rm -f "$snap"' EXIT

if why=$("$tool" probe -o "$snap" 2>&1 >/dev/null); then
	on=kvm
	echo "snapshot of this machine's KVM:"
else
	host=$("$tool" features --hosts | sed -n "s/^\($arch-[^ ]*\).*/\1/p" | tail -n 1)
	on=model:$host
	echo "no usable KVM here:"
	echo "$why" | sed 's/^/  /'
	echo "So all of this is on a software KVM, the model of the recorded host $host:"
	echo "what KVM's rules make of a plan, not what a CPU did. No guest code has run."
	"$tool" probe --host "$on" -o "$snap" >/dev/null || exit $?
	echo
	echo "snapshot of the model:"
fi
sed -n 's/^ "\(name\|hash\)": "\(.*\)",$/  \2/p' "$snap"
echo
"$tool" verify -c "$request" --vcpus 2 --host "$on"
status=$?
echo
echo "why does $feature stand as it does?"
"$tool" explain -c "$request" --host "$on" "$feature"
echo
echo "what happens when guests use it?"
used=$("$tool" verify --alive -c "$request" --host "$on")
alive=$?
# the table of features, which ends with an empty line, and the totals at the end
echo "$used" | sed -n '/^FEATURE  *PLANNED  *ALIVE /,/^$/p;$p'
[ $status -ne 0 ] || status=$alive
exit $status
