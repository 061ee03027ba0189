#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC1091,SC2154
# Process 1 of the outer guest.  Everything that matters leaves by the data
# port, a second serial port, as counted and checksummed records (wire.py).

/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /tmp
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/ TERM=dumb LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /tier/out
. /tier/settings

stty -F "$port" raw -echo 115200
exec 3>"$port"

# put KIND INDEX FILE: one record
put() {
    sum=$({ echo "$1 $2"; cat "$3"; } | sha256sum)
    printf '@%s %s %s %s\n' "$1" "$2" "$(stat -c %s "$3")" "${sum%% *}" >&3
    cat "$3" >&3
    echo >&3
}

# say KIND INDEX TEXT...: one record made of words
say() {
    kind=$1 index=$2
    shift 2
    echo "$*" >/tier/say
    put "$kind" "$index" /tier/say
}

printf '@@guestcpu %s\n' "$nonce" >&3
say uname 0 "$(uname -r)"
for module in /tier/modules/*.ko; do
    [ -e "$module" ] || continue
    why=$(insmod "$module" 2>&1) || say problem 0 "insmod ${module##*/}: $why"
done
if [ -c /dev/kvm ]; then
    say kvm 0 yes
    if [ -x /tier/holder ]; then
        /tier/holder /tier/holder-ready 2>/tier/holder-why &
        tries=0
        while [ ! -e /tier/holder-ready ] && [ $tries -lt 200 ]; do
            usleep 50000
            tries=$((tries + 1))
        done
        [ -e /tier/holder-ready ] || say problem 0 "holder: $(cat /tier/holder-why)"
    fi
else
    say kvm 0 no
fi

index=0
while [ -e "/tier/run/$index" ]; do
    echo "tier: command $index" >/dev/console
    setsid sh "/tier/run/$index" </dev/null >/tier/out/stdout 2>/tier/out/stderr &
    pid=$!
    watch=
    if [ "$limit" -gt 0 ]; then
        (sleep "$limit"; : >/tier/out/late; kill -KILL "-$pid") &
        watch=$!
    fi
    wait "$pid"
    status=$?
    [ -z "$watch" ] || kill "$watch"
    if [ -e /tier/out/late ]; then
        say late "$index" "$limit"
        rm /tier/out/late
    fi
    put stdout "$index" /tier/out/stdout
    put stderr "$index" /tier/out/stderr
    say status "$index" "$status"
    index=$((index + 1))
done

index=0
while [ -e "/tier/get/$index" ]; do
    path=$(cat "/tier/get/$index")
    if [ -f "$path" ]; then
        put file "$index" "$path"
    else
        say missing "$index" "$path"
    fi
    index=$((index + 1))
done

say taint 0 "$(cat /proc/sys/kernel/tainted)"
printf '@@end %s\n' "$nonce" >&3
exec 3>&-
poweroff -f
sleep 60
