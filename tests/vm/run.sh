#!/bin/bash
# Runs emotiond on a real Linux kernel with cameras and a panel that are not there: a Debian kernel in
# QEMU (software emulation), `vivid` as two cameras, a webcam and an SSD1306 that `vm-usb` plays over
# USB/IP. What is done and checked inside is in guest/scenario.sh.
#
#   cargo build --bin emotiond --example vm-usb && tests/vm/run.sh target/debug
#
#   tests/vm/run.sh FOLDER     FOLDER holds emotiond and examples/vm-usb
#
# Needs what `scripts/prepare.sh test-all` installs. The kernel package is downloaded once and kept in
# ${EMOTIOND_CACHE:-~/.cache/emotiond}/vm. Prints the guest's console, which is also left in
# FOLDER/vm-test/console.log; the exit status is 0 if every check was made and held.
set -euo pipefail

binaries=$(realpath "${1:?"usage: $0 FOLDER-OF-BINARIES"}")
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}/vm
work=$binaries/vm-test
initramfs=$work/initramfs
# The whole run, of which an idle machine with two cores needs 75 s.
limit_s=400
modules=(vivid uvcvideo i2c-dev i2c-tiny-usb vhci-hcd)

log() { echo "vm-test: $*" >&2; }

# Name of the kernel package that this Debian's linux-image-amd64 stands for.
kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p'; }

# Leaves a kernel package as $cache/linux-image-*.deb: what was kept, else this Debian's newest.
fetch_kernel() {
    mkdir -p "$cache"
    compgen -G "$cache/linux-image-*.deb" >/dev/null && return
    local part sudo=()
    part=$(mktemp -d "$cache/.download.XXXXXX")
    if ! (cd "$part" && apt-get download -qq "$(kernel_package)" 2>/dev/null); then
        [ "$(id -u)" -eq 0 ] || sudo=(sudo)
        "${sudo[@]}" apt-get update -qq
        (cd "$part" && apt-get download -qq "$(kernel_package)")
    fi
    mv "$part"/linux-image-*.deb "$cache/"
    rmdir "$part"
}

# unpack_kernel DEB: prints a folder with vmlinuz and the modules that the test loads.
unpack_kernel() {
    local target part version module path
    # Another list of modules is another folder.
    target=$cache/$(basename "$1" .deb).$(echo "${modules[@]}" | cksum | cut -d' ' -f1)
    if ! [ -d "$target" ]; then
        part=$(mktemp -d "$cache/.unpack.XXXXXX")
        dpkg-deb --fsys-tarfile "$1" | tar -x -C "$part" --wildcards './boot/vmlinuz-*' './lib/modules/*'
        version=$(basename "$part"/lib/modules/*)
        busybox depmod -b "$part" "$version"
        mkdir -p "$part/picked/lib/modules/$version"
        cp "$part/boot/vmlinuz-$version" "$part/picked/vmlinuz"
        for module in "${modules[@]}"; do
            sed -nE "s,^(.*/$module\.ko[.a-z]*):,\1,p" "$part/lib/modules/$version/modules.dep" | tr ' ' '\n'
        done | sort -u | sed '/^$/d' | while read -r path; do
            install -D -m 644 "$part/lib/modules/$version/$path" "$part/picked/lib/modules/$version/$path"
            case $path in *.xz) busybox unxz "$part/picked/lib/modules/$version/$path" ;; esac
        done
        touch "$part/picked/lib/modules/$version"/modules.{builtin,order}
        busybox depmod -b "$part/picked" "$version"
        mv "$part/picked" "$target"
        rm -rf "$part"
    fi
    echo "$target"
}

# install_program PROGRAM TARGET: copies it into the guest with the libraries that it is linked with.
install_program() {
    local library
    install -D "$1" "$initramfs$2"
    ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
        [ -e "$initramfs$library" ] || install -D "$(realpath "$library")" "$initramfs$library"
    done
}

# picture NAME FILTER OPTION...: a frame of the portrait in the guest's /root.
picture() {
    ffmpeg -nostdin -loglevel error -y -i "$root/third_party/portrait.png" -vf "$2" -frames:v 1 \
        "${@:3}" "$initramfs/root/$1"
}

pictures() {
    local format wide='scale=576:576,pad=720:576:72:0:gray' webcam='scale=240:240,pad=320:240:40:0:gray'
    # For vivid's output, which is a PAL signal.
    picture face.rgb "$wide" -pix_fmt rgb24 -f rawvideo
    picture empty.rgb 'scale=720:576,drawbox=t=fill:color=gray' -pix_fmt rgb24 -f rawvideo
    # For the webcam, by V4L2's names of the formats.
    for format in YUYV=yuyv422 UYVY=uyvy422 NV12=nv12 GREY=gray BGR3=bgr24; do
        picture "face.${format%=*}" "$webcam" -pix_fmt "${format#*=}" -f rawvideo
    done
    picture face.MJPG 'scale=480:480,pad=640:480:80:0:gray' -pix_fmt yuvj422p -c:v mjpeg -q:v 2 -f image2
}

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
    install_program "$binaries/examples/vm-usb" /usr/bin/vm-usb
    install_program "$root/third_party/$(uname -m)/libLiteRt.so" /usr/lib/emotiond/libLiteRt.so
    find "$root/models" -maxdepth 2 \( -path '*/detectors/*' -o -name 'emotion.*' \) -type f \
        -exec cp -t "$initramfs/usr/lib/emotiond/models" {} +
    pictures
    (cd "$initramfs" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$initramfs.cpio"
}

boot() {
    # No KVM: where /dev/kvm exists in a virtual machine it may hang.
    # Emulated, the wider instructions are slower than SSE: with FMA one frame took 3.1 s, without 0.45 s.
    timeout --kill-after=5 "$limit_s" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-avx,-avx2,-fma,-f16c -smp 2 -m 1024 \
        -kernel "$1/vmlinuz" -initrd "$initramfs.cpio" \
        -append 'console=ttyS0 loglevel=3 panic=-1 mitigations=off random.trust_cpu=on' \
        -no-reboot -nodefaults -display none -serial stdio </dev/null 2>"$work/qemu.log" |
        tr -d '\r' | tee "$work/console.log"
}

if [ "$(uname -m)" != x86_64 ]; then
    log "needs programs for x86_64, and this is $(uname -m)"
    exit 1
fi
mkdir -p "$work"
fetch_kernel
debs=("$cache"/linux-image-*.deb)
kernel=$(unpack_kernel "${debs[-1]}")
build_initramfs "$kernel"
log "booting $(basename "$kernel")"
if ! boot "$kernel"; then
    log "the virtual machine did not end by itself within $limit_s s"
    cat "$work/qemu.log" >&2
    exit 1
fi
held=$(grep -c '^ok ' "$work/console.log" || true)
failed=$(grep -c '^not ok ' "$work/console.log" || true)
# The last line counts the checks, so that a guest that died half-way is no success.
if [ "$failed" -ne 0 ] || ! grep -qx "done: $held checks" "$work/console.log"; then
    log "$failed checks failed, $held held (console: $work/console.log)"
    exit 1
fi
log "$held checks held"
