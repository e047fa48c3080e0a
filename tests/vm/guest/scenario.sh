# shellcheck shell=busybox
. ./lib.sh
mkdir -p /run/log
modprobe vivid n_devs=2 node_types=0x101,0x101
modprobe i2c-dev; modprobe i2c-tiny-usb; modprobe vhci-hcd
ls /dev/video*
vm-panel serve 2>/run/log/panel &
wait_for adapter test -e /dev/i2c-0
grant
ls -l /dev/video* /dev/i2c*
i2ctransfer -y 0 w4@0x3c 0x00 0xaf 0xa1 0xc8
i2ctransfer -y 0 w4@0x3c 0x40 0xaf 0xa1 0xc8
vm-panel show
i2ctransfer -y 0 w4@0x3d 0x40 0xaf 0xa1 0xc8
i2cdetect -y 0
v4l2-ctl -d /dev/video0 --list-formats-ext | head -40
for d in 0 1; do v4l2-ctl -d /dev/video$d --list-inputs; v4l2-ctl -d /dev/video$d --list-outputs; done
v4l2-ctl -d /dev/video0 -L
time ls >/dev/null
v4l2-ctl -d /dev/video0 --set-input 2 
v4l2-ctl -d /dev/video0 --set-standard pal
v4l2-ctl -d /dev/video1 --set-output 0 
v4l2-ctl -d /dev/video1 --set-standard pal
v4l2-ctl -d /dev/video1 --set-fmt-video-out width=720,height=576,pixelformat=YUYV
v4l2-ctl -d /dev/video0 --set-fmt-video width=720,height=576,pixelformat=YUYV
v4l2-ctl -d /dev/video0 --set-ctrl loop_video=1
v4l2-ctl -d /dev/video1 --stream-out-mmap --stream-from=/root/face.yuv --stream-loop >/dev/null 2>&1 &
sleep 2
v4l2-ctl -d /dev/video0 --stream-mmap --stream-count=20 --stream-skip=10 --stream-to=/tmp/cap.yuv
tail -c 829440 /tmp/cap.yuv | cmp - /root/face.yuv && echo SAME
v4l2-ctl -d /dev/video0 --list-formats-ext | head -400
echo "done: $checks checks"
