#!/bin/bash
# Runs emotiond on a real Linux kernel with cameras and a panel that are not there: a Debian kernel in
# QEMU (software emulation), `vivid` as two cameras, a webcam and an SSD1306 that `vm-usb` plays over
# USB/IP. What is done and checked inside is in guest/scenario.sh.
#
#   cargo build --bin emotiond --example vm-usb && tests/vm/run.sh target/debug target/debug/examples/vm-usb
#
#   tests/vm/run.sh FOLDER VM-USB     FOLDER holds emotiond
#
# Needs what `scripts/prepare.sh test-all` installs. The kernel package is downloaded once and kept in
# ${EMOTIOND_CACHE:-~/.cache/emotiond}/vm. Prints the guest's console, which is also left in
# FOLDER/vm-test/console.log; the exit status is 0 if every check was made and held.
set -euo pipefail

usage="usage: $0 FOLDER VM-USB"
binaries=$(realpath "${1:?"$usage"}")
vm_usb=$(realpath "${2:?"$usage"}")
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}/vm
work=$binaries/vm-test
arch=amd64
initramfs=$work/initramfs
# The whole run, of which an idle machine with two cores needs 75 s.
limit_s=400
modules=(vivid uvcvideo i2c-dev i2c-tiny-usb vhci-hcd)

log() { echo "vm-test: $*" >&2; }

# shellcheck source=tests/vm/common.sh
. "$here/common.sh"

build_initramfs() {
    local kernel=$1 program
    rm -rf "$initramfs"
    mkdir -p "$initramfs"/{bin,dev,etc,proc,sys,run,tmp,root,usr/lib/emotiond/models}
    cp -r "$kernel/lib" "$initramfs/"
    install "$(command -v busybox)" "$initramfs/bin/busybox"
    install "$here/guest/init" "$initramfs/init"
    install -m 644 "$here"/guest/{scenario.sh,lib.sh,emotiond.toml} "$initramfs/root/"
    for program in v4l2-ctl mosquitto mosquitto_pub mosquitto_sub; do
        install_program "$(PATH=$PATH:/usr/sbin command -v $program)" "/usr/bin/$program"
    done
    install_program "$binaries/emotiond" /usr/bin/emotiond
    install_program "$vm_usb" /usr/bin/vm-usb
    install_program "$root/third_party/$machine/libLiteRt.so" /usr/lib/emotiond/libLiteRt.so
    find "$root/models" -maxdepth 2 \( -path '*/detectors/*' -o -name 'emotion.*' \) -type f \
        -exec cp -t "$initramfs/usr/lib/emotiond/models" {} +
    vivid_pictures
    webcam_pictures
    pack_initramfs
}

boot() {
    timeout --kill-after=5 "$limit_s" "${qemu[@]}" -kernel "$1/vmlinuz" -initrd "$initramfs.cpio" \
        -append "$kernel_arguments" -serial stdio </dev/null 2>"$work/qemu.log" |
        tr -d '\r' | tee "$work/console.log"
}

if [ "$(uname -m)" != x86_64 ]; then
    log "needs programs for x86_64, and this is $(uname -m)"
    exit 1
fi
mkdir -p "$work"
fetch_kernel
debs=("$cache"/linux-image-*_"$arch".deb)
kernel=$(unpack_kernel "${debs[-1]}" "${modules[@]}")
build_initramfs "$kernel"
log "booting $(basename "$kernel")"
for attempt in 1 2 3; do
    if ! boot "$kernel"; then
        log "the virtual machine did not end by itself within $limit_s s"
        cat "$work/qemu.log" >&2
        exit 1
    fi
    # Pulling a webcam while it streams sometimes meets a race of the kernel's own (uvcvideo on vhci_hcd, Linux 6.1).
    grep -q '^\[.*Kernel panic' "$work/console.log" || break
    log "the guest's kernel failed, attempt $attempt of 3"
done
held=$(grep -c '^ok ' "$work/console.log" || true)
failed=$(grep -c '^not ok ' "$work/console.log" || true)
# The last line counts the checks, so that a guest that died half-way is no success.
if [ "$failed" -ne 0 ] || ! grep -qx "done: $held checks" "$work/console.log"; then
    log "$failed checks failed, $held held (console: $work/console.log)"
    exit 1
fi
log "$held checks held"
