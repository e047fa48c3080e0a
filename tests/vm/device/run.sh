#!/bin/bash
# The package on a whole device without a device: Debian with systemd, udev and mosquitto in QEMU (software
# emulation) for the package's architecture, amd64 or arm64, the .deb installed by apt, `vivid` as the camera, an
# SSD1306 that `vm-usb` plays over USB/IP. It is booted three times: in the first run the power is cut while state is
# written, the second ends in a reboot, the third in the package's purge. What is done and seen is in guest/N-*.sh.
#
#   tests/vm/device/run.sh DEB NEWER-DEB VM-USB FOLDER
#
# Needs what `scripts/prepare.sh device-test` installs, and root (or sudo) once, for the image of Debian, which is kept in
# ${EMOTIOND_CACHE:-~/.cache/emotiond}/vm. Leaves the console in FOLDER/console.log and the panel's pictures, as its
# memory held them, beside it. The exit status is 0 if every check was made and held. On a busy machine, PATIENCE=3
# waits three times as long for everything before a check fails.
set -euo pipefail
shopt -s inherit_errexit

usage="usage: $0 DEB NEWER-DEB VM-USB FOLDER"
deb=$(realpath "${1:?"$usage"}")
newer=$(realpath "${2:?"$usage"}")
vm_usb=$(realpath "${3:?"$usage"}")
work=$(realpath -m "${4:?"$usage"}")
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../../..")
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}/vm
initramfs=$work/initramfs
disk=$work/disk.ext4
arch=$(dpkg-deb --field "$deb" Architecture)
patience=${PATIENCE:-1}
# One boot with all that is done in it, of which an idle machine with two cores needs half.
limit_s=$((600 * patience))
modules=(virtio_pci virtio_blk virtio_console ext4 crc32c_generic vivid i2c-dev i2c-tiny-usb vhci-hcd)
log() { echo "device-test: $*" >&2; }

# shellcheck source=tests/vm/common.sh
. "$here/../common.sh"
# The console is the test's alone.
guest_arguments="systemd.show_status=no systemd.mask=serial-getty@$console.service device_patience=$patience"

# Prints the image of a Debian 12 with systemd and a broker, which is made where it is missing.
debian_image() {
    local image part sudo=()
    image=$cache/debian-$arch-$(sha256sum "$here/debian.sh" | cut -c1-12).ext4
    if ! [ -f "$image" ]; then
        [ "$(id -u)" -eq 0 ] || sudo=(sudo)
        log "making an image of Debian 12 for $arch"
        rm -f "$cache/debian-$arch"-*.ext4
        part=$(mktemp -d "$cache/.debian.XXXXXX")
        "${sudo[@]}" "$here/debian.sh" "$arch" "$part/root" "$part/image" >&2
        mv "$part/image" "$image"
        "${sudo[@]}" rm -rf "$part"
    fi
    echo "$image"
}

build_initramfs() {
    local kernel=$1 image=$2
    rm -rf "$initramfs"
    mkdir -p "$initramfs"/{bin,dev,proc,sys,newroot,root}
    cp -r "$kernel/lib" "$initramfs/"
    debugfs -R "dump -p /usr/bin/busybox $initramfs/bin/busybox" "$image" 2>/dev/null
    install "$here/guest/init" "$initramfs/init"
    install "$vm_usb" "$initramfs/root/vm-usb"
    install -m 644 "$here"/guest/{device-test.service,common.sh,[123]-*.sh} "$here/../guest/lib.sh" "$initramfs/root/"
    install -m 644 "$deb" "$initramfs/root/emotiond.deb"
    install -m 644 "$newer" "$initramfs/root/newer.deb"
    vivid_pictures
    pack_initramfs
}

# boot KERNEL PART: prints the console; ends with the machine, or cuts its power where the guest asks for that.
boot() {
    local line emulator
    log "boot $2"
    coproc machine (exec timeout --kill-after=5 "$limit_s" "${qemu[@]}" -kernel "$1/vmlinuz" \
        -initrd "$initramfs.cpio" -append "$kernel_arguments $guest_arguments device_test=$2" \
        -drive "file=$disk,format=raw,if=virtio" -serial stdio \
        -device virtio-serial-pci -chardev "file,id=files,path=$work/files-$2.tar" \
        -device virtserialport,chardev=files,name=files 2>>"$work/qemu.log")
    # shellcheck disable=SC2154 # set by coproc
    emulator=$machine_PID
    while IFS= read -r line; do
        line=${line%$'\r'}
        echo "$line" | tee -a "$work/console.log"
        if [ "$line" = "cut the power" ]; then
            sleep 3
            log "cutting the power"
            # timeout passes no KILL on.
            kill -KILL "$(pgrep -P "$emulator")" "$emulator"
        fi
    done <&"${machine[0]}"
    wait "$emulator" 2>/dev/null || true
    tar -x -C "$work" -f "$work/files-$2.tar" || true
    rm -f "$work/files-$2.tar"
}

mkdir -p "$work"
rm -f "$work"/{console.log,qemu.log,*.png}
fetch_kernel
debs=("$cache"/linux-image-*_"$arch".deb)
kernel=$(unpack_kernel "${debs[-1]}" "${modules[@]}")
image=$(debian_image)
cp --sparse=always "$image" "$disk"
build_initramfs "$kernel" "$image"
for part in 1 2 3; do
    boot "$kernel" $part
    if ! grep -q "^done $part: " "$work/console.log"; then
        cat "$work/qemu.log" >&2
        log "boot $part did not come to its end (console: $work/console.log)"
        exit 1
    fi
done
for picture in "$work"/panel-{face,back}.png; do
    [ -s "$picture" ] || { log "$picture did not come from the machine"; exit 1; }
done
rm -f "$disk" "$initramfs.cpio"
held=$(grep -c '^ok ' "$work/console.log" || true)
log "$held checks held for $arch in $SECONDS s; the panel's pictures: $(echo "$work"/*.png)"
