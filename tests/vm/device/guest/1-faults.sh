# shellcheck shell=dash disable=SC2154 # marks are lib.sh's
# Install, run, all that breaks on a device, and the power cut while state is written.

emotions='\(angry\|disgust\|fear\|happy\|neutral\|sad\|surprise\|contempt\)$'
preview=/var/lib/emotiond/preview.png

echo "# install, with neither camera nor panel nor configuration"
follow
start=$(moment)
apt-get install -y -q --no-install-recommends ./emotiond.deb >/run/log/apt 2>&1 || fail "installed"
took "install" "$start"
wait_for "installed: running by itself" is_active
see_ready
see dpkg-query -W emotiond
check "installed: enabled" systemctl is-enabled --quiet emotiond
wait_for "installed: published under the default id" grep -q '^emotiond/vm-[0-9a-f]*/availability online' /run/log/mqtt
wait_for "installed: the page" sh -c 'busybox wget -qO- http://127.0.0.1:8080/ | grep -q "<title>"'
see_log 6
see grep -E '^(Uid|Groups|CapEff|NoNewPrivs|Seccomp):' "/proc/$(property MainPID)/status"
score=$(systemd-analyze security --no-pager emotiond 2>/dev/null | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
echo "  | unit score $score"
check "unit: score at most 2.0" awk -v score="$score" 'BEGIN { exit !(score != "" && score <= 2.0) }'
see systemctl cat emotiond@.service --no-pager -q | grep -E 'ExecStart|StateDirectory='

echo "# camera and panel are plugged in while it runs; a broker with passwords"
# On the virtual USB controller a device that went to sleep cannot be woken: opening it says EBUSY.
modprobe usbcore autosuspend=-1
modprobe i2c-tiny-usb
modprobe vhci-hcd
vm-usb serve 2>/run/log/vm-usb &
wait_for "USB devices are up" test -S /run/vm-usb.sock
mark
vm-usb plug panel
modprobe vivid n_devs=1 node_types=0x101
wait_for "late: camera" told '/dev/video0 (vivid)'
wait_for "late: panel" told 'panel at 0x3c on /dev/i2c-0'
see_log 4
see ls -l /dev/video0 /dev/i2c-0
mosquitto_passwd -b -c /etc/mosquitto/passwd emotiond 'a secret' && chown mosquitto: /etc/mosquitto/passwd
printf 'listener 1883 127.0.0.1\nallow_anonymous true\npassword_file /etc/mosquitto/passwd\n' >/etc/mosquitto/conf.d/test.conf
mkdir -p /etc/credstore && chmod 700 /etc/credstore && printf 'a secret\n' >/etc/credstore/emotiond.mqtt-password
chmod 600 /etc/credstore/*
sed -i 's|^# id = .*|id = "vm"|; s|^# username = ""|username = "emotiond"|; s|^# stats_interval_s = .*|stats_interval_s = 2.0|
    s|^# preview_png = ""|preview_png = "'$preview'"|; s|^# width = 640|width = 720|; s|^# height = 480|height = 576|' \
    /etc/emotiond/emotiond.toml
systemctl restart mosquitto
# A camera that is open keeps its input.
systemctl stop emotiond
loop_vivid
show ./face.rgb
mark
start=$(moment)
systemctl start emotiond
took "systemctl start" "$start"
see_ready
wait_for "face: emotion" published emotion "$emotions"
took "start to first emotion" "$start"
see_topic emotion
see_topic state
check "password: from the credential store" grep -q "u'emotiond'" /var/log/mosquitto/mosquitto.log
wait_for "stats" published stats '.*"frames":'
see_topic stats
# By now the panel shows more than that the daemon starts.
wait_for "face: panel" vm-usb compare $preview
see vm-usb show
keep_picture panel-face

echo "# camera disconnected for 5 s"
mark
# vivid stays away while another program holds it.
tail -f /dev/null 3</dev/video1 &
holder=$!
press /dev/video0 disconnect
wait_for "camera: lost" published event '.*"event_type":"camera_lost"'
see_topic event
sleep 5
kill "$holder" "$shown" 2>/dev/null
start=$(moment)
wait_for "camera: back" published event '.*"event_type":"camera_back"'
took "camera back" "$start"
mark
show ./face.rgb
wait_for "camera: emotion" published emotion "$emotions"
took "camera back to emotion" "$start"
see_topic emotion

echo "# panel unplugged for 5 s"
mark
vm-usb unplug panel
wait_for "panel: lost" told 'unable to find a display'
see_log 1
sleep 5
vm-usb plug panel
start=$(moment)
wait_for "panel: picture is back" vm-usb compare $preview
took "panel back" "$start"
keep_picture panel-back

echo "# broker stopped for a minute"
mark
systemctl stop mosquitto
wait_for "broker: lost" told 'lost broker'
sleep 60
see_log 2
check "broker: the daemon goes on" is_active
systemctl start mosquitto
start=$(moment)
mark
wait_for "broker: online again" published availability online
took "broker back to online" "$start"
wait_for "broker: emotion again" published emotion "$emotions"
see_topic emotion

echo "# kill -9"
pid=$(property MainPID)
mark
start=$(moment)
kill -KILL "$pid"
wait_for "killed: running again" is_restarted "$pid"
took "kill -9 to READY" "$start"
wait_for "killed: offline by the will" published availability offline
wait_for "killed: emotion again" published emotion "$emotions"
took "kill -9 to emotion" "$start"

echo "# SIGSTOP for longer than the watchdog"
pid=$(property MainPID)
mark
start=$(moment)
kill -STOP "$pid"
wait_for "stopped: running again" is_restarted "$pid"
took "SIGSTOP to READY" "$start"
see sh -c 'journalctl -o cat --no-pager -u emotiond | grep -E "atchdog|result" | tail -n 3'
check "stopped: by the watchdog" sh -c 'journalctl -o cat -u emotiond | grep -qi "watchdog timeout"'
wait_for "stopped: emotion again" published emotion "$emotions"
took "SIGSTOP to emotion" "$start"

echo "# a bad configuration is not tried again and again"
mark
restarts=$(property NRestarts)
cp /etc/emotiond/emotiond.toml /run/good.toml
sed -i 's/^\[camera\]/[camera]\nwidht = 1/' /etc/emotiond/emotiond.toml
systemctl restart emotiond 2>/dev/null
sleep 4
see_log 4
see systemctl show emotiond -p ActiveState,Result,ExecMainStatus,NRestarts
check "misconfigured: status 78" [ "$(property ExecMainStatus)" = 78 ]
check "misconfigured: not restarted" [ "$(property ActiveState)/$(property NRestarts)" = "failed/0" ]
echo "  | $restarts restarts before"
cp /run/good.toml /etc/emotiond/emotiond.toml
check "configured: starts" systemctl start emotiond

echo "# a second instance"
printf '[device]\nid = "door"\n[mqtt]\nusername = "emotiond"\n[camera]\nsource = "/dev/video9"\n[display]\ndriver = "none"\n[web]\nlisten = "127.0.0.1:8081"\n' \
    >/etc/emotiond/emotiond@door.toml
check "instance: starts" systemctl enable --quiet --now emotiond@door
wait_for "instance: online" grep -q '^emotiond/door/availability online' /run/log/mqtt
see ls -d /var/lib/emotiond*
emotiond check --instance door >/run/checked 2>&1 || true
check "instance: its configuration" grep -q '^device  *door$' /run/checked
check "instance: its state" grep -q '^state  *.*/emotiond@door$' /run/checked
emotiond people list >/run/checked 2>&1 || true
check "instance: a hint" grep -q -- '--instance NAME is for the others (door)' /run/checked
systemctl disable --quiet --now emotiond@door

echo "# power cut while state is written"
number=0
while :; do
    number=$((number + 1))
    mosquitto_pub -q 1 -t emotiond/vm/settings/set -m "{\"dwell_s\": 1.$((number % 90 + 10))}"
done &
wait_for "settings are written" grep -q '"dwell_s":1.[0-9]' /var/lib/emotiond/settings.json
sleep 2
see cat /var/lib/emotiond/settings.json
finish
echo "cut the power"
sleep 600
