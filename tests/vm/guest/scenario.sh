# shellcheck shell=dash
# What is done to emotiond in the virtual machine, and what must come of it. Each line `ok` or
# `not ok` is a check; the last line counts them.

# shellcheck source=tests/vm/guest/lib.sh
. ./lib.sh

emotions='\(angry\|disgust\|fear\|happy\|neutral\|sad\|surprise\|contempt\)$'
mkdir /run/log

# vivid: two cameras, video0 and video2, each with an output that it can loop back, video1 and video3.
modprobe vivid n_devs=2 node_types=0x101,0x101
# On the virtual USB controller a device that went to sleep cannot be woken: opening it says EBUSY.
modprobe usbcore autosuspend=-1
modprobe uvcvideo
modprobe i2c-dev
modprobe i2c-tiny-usb
modprobe vhci-hcd
grant
vm-usb serve 2>/run/log/vm-usb &
mosquitto >/run/log/mosquitto 2>&1 &
wait_for "USB devices are up" test -S /run/vm-usb.sock
wait_for "broker is up" mosquitto_sub -t "\$SYS/broker/version" -C 1 -W 5
mosquitto_sub -t 'emotiond/#' -F '%t %p' >/run/log/mqtt &

# The list of devices, which grows.
devices() { su "$1" -s /bin/sh -c "emotiond devices --json" 2>/dev/null >/run/devices; }
lists() { grep -q "$1" /run/devices; }

devices emotiond
check "devices: no bus" lists '"i2c":\[\]'
vm-usb plug panel
plugged /dev/i2c-0
vm-usb power off
devices emotiond
check "devices: a bus without a panel" lists '"path":"/dev/i2c-0","adapter":"i2c-tiny-usb[^"]*","panels":\[\]'
vm-usb power on
devices emotiond
check "devices: the panel" lists '"path":"/dev/i2c-0","adapter":"i2c-tiny-usb[^"]*","panels":\["0x3c"\]'
check "devices: a camera" lists '"path":"/dev/video0","by_id":null,"card":"vivid","driver":"vivid"'
for format in RGB3 BGR3 YUYV UYVY NV12 GREY; do
    check "devices: $format" lists "{\"format\":\"$format\",\"known\":true,\"width\":640,\"height\":480,\"fps\":\[[0-9]"
done
check "devices: an output is no camera" lists '"path":"/dev/video1"[^}]*"problem":"it is an output, no camera"'
devices nobody
check "devices: forbidden camera" lists '"path":"/dev/video0"[^}]*permission denied (is the user in group video?)'
check "devices: forbidden bus" lists '"path":"/dev/i2c-0"[^}]*permission denied (is the user in group i2c?)'

# Who may not, is told so and goes on.
start_daemon nobody camera.source=/dev/video0 display.driver=ssd1306 display.preview_png=/tmp/none.png
wait_for "forbidden: camera" told 'unable to open /dev/video0: permission denied (is the user in group video?)'
wait_for "forbidden: panel" told 'unable to open /dev/i2c-0: permission denied (is the user in group i2c?)'
wait_for "forbidden: published" published camera/availability offline
stop_daemon "forbidden"

# A face: vivid's output, a PAL signal, looped back to its input.
loop_vivid
show /root/empty.rgb
start_daemon emotiond camera.source=auto camera.width=720 camera.height=576
wait_for "empty: online" published availability online
wait_for "empty: camera" published camera/availability online
wait_for "empty: format" told '/dev/video0 (vivid), 720x576 RGB3 at 25/s'
wait_for "empty: emotion" published emotion none
wait_for "empty: panel" vm-usb compare /tmp/preview.png
vm-usb show >/run/empty
mark
kill "$shown"
wait "$shown" 2>/dev/null
show /root/face.rgb
wait_for "face: emotion" published emotion "$emotions"
wait_for "face: state" published state '.*"faces":1,"primary":{"id":1,'
wait_for "face: event" published event '.*"event_type":"emotion_changed","from":"none"'
wait_for "face: panel" vm-usb compare /tmp/preview.png
vm-usb show >/run/face
check "face: another picture" sh -c '! cmp -s /run/empty /run/face'
wait_for "face: stats" published stats '.*"camera":"/dev/video0'
tail -n +$((mqtt_mark + 1)) /run/log/mqtt | grep -E '/(state|stats) ' | tail -n 2
cat /run/face

# The panel: without power, then unplugged; each time the picture comes back.
mark
vm-usb power off
wait_for "panel: without power" told 'nothing answers at address 0x3c on /dev/i2c-0'
vm-usb power on
wait_for "panel: power is back" vm-usb compare /tmp/preview.png
mark
vm-usb unplug panel
wait_for "panel: unplugged" told 'unable to find a display: there is no I2C bus'
vm-usb plug panel
plugged /dev/i2c-0
wait_for "panel: plugged in" vm-usb compare /tmp/preview.png

# The camera goes, and the next one takes over. While another program holds vivid's first device,
# it stays away.
mark
tail -f /dev/null 3</dev/video1 &
holder=$!
press /dev/video0 disconnect
wait_for "takeover: lost" published event '.*"event_type":"camera_lost"'
wait_for "takeover: second camera" told '/dev/video2 (vivid)'
wait_for "takeover: back" published event '.*"event_type":"camera_back"'
wait_for "takeover: online" published camera/availability online
wait_for "takeover: panel" vm-usb compare /tmp/preview.png
kill "$holder"
stop_daemon "takeover"
wait_for "stopped: offline" published availability offline
check "stopped: panel is dark" sh -c "! vm-usb show | grep -q '[^[:space:]]'"

# Switched off, the camera is closed.
start_daemon emotiond camera.source=/dev/video2 display.driver=none
holds_camera() { find "/proc/$daemon/fd" -exec readlink {} \; | grep -q '^/dev/video2'; }
wait_for "switch: on at first" published enabled ON
wait_for "switch: camera" holds_camera
mosquitto_pub -q 1 -t emotiond/vm/enabled/set -m OFF
wait_for "switch: off" published enabled OFF
wait_for "switch: camera is offline" published camera/availability offline
check "switch: device is closed" eval '! holds_camera'
mark
mosquitto_pub -q 1 -t emotiond/vm/enabled/set -m ON
wait_for "switch: on again" published camera/availability online
check "switch: device is open" holds_camera
stop_daemon "switch"

# Faults of one camera, after each of which it delivers again. Each has a daemon of its own: one that is lost again and
# again must deliver ever longer until it counts as back.
# fault NAME REASON COMMAND...
fault() {
    local name=$1 reason=$2
    shift 2
    start_daemon emotiond camera.source=/dev/video2 display.driver=none
    wait_for "$name: camera" published camera/availability online
    mark
    "$@"
    wait_for "$name: lost" told "$reason"
    wait_for "$name: published" published event '.*"event_type":"camera_lost"'
    [ "$name" != "no frames" ] || v4l2-ctl -d /dev/video2 --set-ctrl percentage_of_dropped_buffers=0
    [ "$name" != gone ] || { echo vivid.0 >/sys/bus/platform/drivers/vivid/bind; plugged /dev/video2; }
    wait_for "$name: back" published event '.*"event_type":"camera_back"'
    stop_daemon "$name"
}
fault disconnected 'the device is gone' press /dev/video2 disconnect
fault "fatal error" 'the device failed (EIO)' press /dev/video2 inject_fatal_streaming_error
fault "refused buffer" 'unable to take a frame: ' press /dev/video2 inject_vidioc_qbuf_error
both() { press /dev/video2 "$1" && press /dev/video2 inject_fatal_streaming_error; }
fault "refused start" 'the device failed (EIO)' both inject_vidioc_streamon_error
fault "refused memory" 'the device failed (EIO)' both inject_vidioc_reqbufs_error
fault "no frames" 'no frame in 3 s' v4l2-ctl -d /dev/video2 --set-ctrl percentage_of_dropped_buffers=100
fault gone 'the device is gone' sh -c 'echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind'
start_daemon emotiond camera.source=/dev/video2 display.driver=none
wait_for "damaged frame: camera" published camera/availability online
mark
press /dev/video2 inject_v4l2_buf_flag_error
wait_for "damaged frame: counted" published stats '.*"frames_damaged":1,'
check "damaged frame: camera stays" sh -c "! tail -n +$((mqtt_mark + 1)) /run/log/mqtt | grep -q camera_lost"
stop_daemon "damaged frame"

# A USB webcam in each format, plugged in while the daemon runs and unplugged.
for format in MJPG YUYV UYVY NV12 GREY BGR3; do
    start_daemon emotiond camera.source=/dev/video4 display.driver=none
    wait_for "webcam $format: not there" told 'unable to open /dev/video4: no such device (is it connected?)'
    mark
    size=320x240
    [ $format != MJPG ] || size=640x480
    vm-usb plug webcam $format $size /root/face.$format
    plugged /dev/video4
    wait_for "webcam $format: camera" told "$size $format at 10/s"
    wait_for "webcam $format: emotion" published emotion "$emotions"
    mark
    vm-usb unplug webcam
    wait_for "webcam $format: unplugged" published event '.*"event_type":"camera_lost"'
    wait_for "webcam $format: no emotion" published emotion none
    wait_for "webcam $format: node gone" test ! -e /dev/video4
    stop_daemon "webcam $format"
done

echo "done: $checks checks"
