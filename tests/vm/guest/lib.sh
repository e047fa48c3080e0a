# shellcheck shell=busybox
# For the scenario: checks, waiting, and what udev does on a real machine.

checks=0
wait_s=90

# ok NAME [DETAIL]: a check that held. fail NAME [DETAIL]: one that did not; the logs follow.
ok() {
    checks=$((checks + 1))
    echo "ok $1${2:+ ($2)} [$(cut -d. -f1 /proc/uptime) s]"
}

fail() {
    echo "not ok $1${2:+ ($2)} [$(cut -d. -f1 /proc/uptime) s]"
    for file in /run/log/*; do
        [ -s "$file" ] || continue
        echo "--- $file"
        tail -n 60 "$file"
    done
    dmesg | tail -n 15
}

# check NAME COMMAND…: the command must succeed at once.
check() {
    name=$1
    shift
    if "$@"; then ok "$name"; else fail "$name" "$*"; fi
}

# wait_for NAME COMMAND…: the command must succeed within the time.
wait_for() {
    name=$1
    shift
    until_s=$(($(cut -d. -f1 /proc/uptime) + wait_s))
    until "$@" >/run/last 2>&1; do
        if [ "$(cut -d. -f1 /proc/uptime)" -ge "$until_s" ]; then
            cat /run/last
            fail "$name" "$*"
            return 1
        fi
        usleep 200000
    done
    ok "$name"
}

# Groups and modes that Debian's udev rules give.
grant() {
    for node in /dev/video*; do chgrp video "$node" && chmod 660 "$node"; done
    for node in /dev/i2c-*; do [ -e "$node" ] && chgrp i2c "$node" && chmod 660 "$node"; done
    return 0
}

# press DEVICE BUTTON: a control of vivid.
press() { v4l2-ctl -d "$1" --set-ctrl "$2=1"; }
