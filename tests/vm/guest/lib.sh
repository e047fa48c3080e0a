# shellcheck shell=dash
# For the scenario: checks, waiting, and what udev does on a real machine.

checks=0
# How long a condition is waited for; nothing needs a tenth of it on an idle machine.
patience_s=90

now_s() { cut -d. -f1 /proc/uptime; }

# Reports a check that held.
ok() {
    checks=$((checks + 1))
    echo "ok $1 [at $(now_s) s]"
}

# Reports a check that did not, with the ends of the logs, and ends the scenario: what follows builds on it.
fail() {
    local file
    echo "not ok $1 [at $(now_s) s]"
    for file in /run/log/*; do
        echo "--- $file"
        tail -n 25 "$file"
    done
    echo "--- kernel"
    dmesg | grep -v vhci_hcd | tail -n 10
    exit 1
}

# check NAME COMMAND...: the command must succeed at once.
check() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else fail "$name: $*"; fi
}

# wait_for NAME COMMAND...: the command must succeed in the end.
wait_for() {
    local name=$1 until_s
    shift
    until_s=$(($(now_s) + patience_s))
    until "$@" >/run/last 2>&1; do
        if [ "$(now_s)" -ge "$until_s" ]; then
            cat /run/last
            fail "$name: $*"
        fi
        usleep 200000
    done
    ok "$name"
}

# From here on told and published look only at what is new.
mark() {
    daemon_mark=$(wc -l </run/log/daemon)
    mqtt_mark=$(wc -l </run/log/mqtt)
}

# Whether the daemon has logged a line that holds the text.
told() { tail -n +$((daemon_mark + 1)) /run/log/daemon | grep -qF "$1"; }

# Whether a message was published: TOPIC PAYLOAD-PATTERN.
published() { tail -n +$((mqtt_mark + 1)) /run/log/mqtt | grep -q "^emotiond/vm/$1 $2"; }

# Groups and modes that Debian's udev rules give.
grant() {
    local node
    for node in /dev/video*; do
        chgrp video "$node" && chmod 660 "$node"
    done
    for node in /dev/i2c-*; do
        if [ -e "$node" ]; then chgrp i2c "$node" && chmod 660 "$node"; fi
    done
}

# A node of a device that was plugged in: there, and as udev leaves it.
plugged() {
    local until_s
    until_s=$(($(now_s) + patience_s))
    until [ -e "$1" ] || [ "$(now_s)" -ge "$until_s" ]; do usleep 50000; done
    grant
}

# press DEVICE BUTTON: a control of vivid.
press() { v4l2-ctl -d "$1" --set-ctrl "$2=1"; }

# start_daemon USER [KEY=VALUE]...: `emotiond run` with these settings; its log is /run/log/daemon.
start_daemon() {
    local user=$1 sets='' setting
    shift
    for setting in "$@"; do sets="$sets --set $setting"; done
    : >>/run/log/daemon
    mark
    su "$user" -s /bin/sh -c "exec emotiond run --config /root/emotiond.toml $sets" 2>>/run/log/daemon &
    daemon=$!
}

# stop_daemon NAME: SIGTERM must end it, soon and in order.
stop_daemon() {
    local before status took
    before=$(cut -d' ' -f1 /proc/uptime)
    kill -TERM "$daemon"
    wait "$daemon"
    status=$?
    # awk, because busybox's shell does not calculate with fractions.
    took=$(awk -v before="$before" '{ print $1 - before }' /proc/uptime)
    echo "stopped after $took s with exit status $status"
    check "$1: exit status 0" [ "$status" -eq 0 ]
    # Before systemd would kill it (TimeoutStopSec); an idle machine takes 0.3 s, a busy one has taken 4.
    check "$1: soon" awk -v took="$took" 'BEGIN { exit !(took < 15) }'
}

# vivid's output, a PAL signal, looped back to its input: what show gives it is what the camera sees.
loop_vivid() {
    v4l2-ctl -d /dev/video0 --set-input 2 --set-ctrl loop_video=1,osd_text_mode=2 >/dev/null
    v4l2-ctl -d /dev/video0 --set-standard pal >/dev/null
    v4l2-ctl -d /dev/video1 --set-output 0 >/dev/null
    v4l2-ctl -d /dev/video1 --set-standard pal >/dev/null
    v4l2-ctl -d /dev/video1 --set-fmt-video-out width=720,height=576,pixelformat=RGB3
}

# show FILE: a picture for vivid's output, until the process $shown ends.
# shellcheck disable=SC2034 # for the scenario
show() {
    v4l2-ctl -d /dev/video1 --stream-out-mmap --stream-from="$1" --stream-loop >/dev/null 2>&1 &
    shown=$!
}
