# shellcheck shell=dash
# Starts the part that the kernel's command line names, with what all parts use.

# shellcheck source=tests/vm/guest/lib.sh
. ./lib.sh

patience_s=$((patience_s * $(sed -n 's/.*device_patience=\([0-9]*\).*/\1/p' /proc/cmdline)))
mkdir -p /run/log /run/files
usleep() { busybox usleep "$1"; }
moment() { cut -d' ' -f1 /proc/uptime; }

# took WHAT SINCE: a figure.
took() { awk -v what="$1" -v since="$2" '{ printf "took: %s %.1f s\n", what, $1 - since }' /proc/uptime; }

# Prints what a command says, as what was seen.
see() { "$@" 2>&1 | sed 's/^/  | /'; }

# Prints the last new lines of the daemon's log, or those of the broker with a topic.
see_log() { tail -n +$((daemon_mark + 1)) /run/log/daemon | tail -n "${1:-3}" | sed 's/^/  | /'; }
see_topic() { tail -n +$((mqtt_mark + 1)) /run/log/mqtt | grep "^emotiond/vm/$1 " | tail -n 1 | cut -c1-240 | sed 's/^/  | /'; }

property() { systemctl show emotiond --value -p "$1"; }
is_active() { [ "$(property ActiveState)" = active ]; }
# Active under another main process than $1.
is_restarted() { is_active && [ "$(property MainPID)" != "$1" ]; }

# How long the unit took from its start to READY.
see_ready() {
    awk -v from="$(property ExecMainStartTimestampMonotonic)" -v to="$(property ActiveEnterTimestampMonotonic)" \
        'BEGIN { printf "took: start to READY %.1f s\n", (to - from) / 1e6 }'
}

follow() {
    : >/run/log/daemon
    : >/run/log/mqtt
    journalctl --follow --lines=all --output=cat --unit=emotiond >>/run/log/daemon 2>/dev/null &
    wait_for "broker is up" mosquitto_sub -t "\$SYS/broker/version" -C 1 -W 5
    mosquitto_sub -t 'emotiond/#' -F '%t %p' >>/run/log/mqtt 2>/dev/null &
    # What is retained may have come by now, and counts.
    daemon_mark=0 mqtt_mark=0
}

# The panel as its memory holds it, as PNG for the host.
keep_picture() { vm-usb png "/run/files/$1.png"; }

# Hands the host what is in /run/files.
hand_over() { tar -c -C /run/files . >/dev/virtio-ports/files; }

part=$(sed -n 's/.*device_test=\([0-9]\).*/\1/p' /proc/cmdline)
finish() {
    hand_over
    echo "done $part: $checks checks"
}
# A failed check ends the shell.
trap 'hand_over; echo "part $part ended"; poweroff -f -f' EXIT

echo "# part $part: Debian $(cat /etc/debian_version), systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), Linux $(uname -r), up after $(now_s) s"
for script in ./"$part"-*.sh; do
    # shellcheck source=/dev/null
    . "$script"
done
