# shellcheck shell=bash
# shellcheck disable=SC2154 # assigned by the caller
# For the tests in virtual machines: a Debian kernel and its modules, programs and pictures for the guest, QEMU.
# The caller has set root, cache, initramfs, arch (amd64 or arm64), and "set -euo pipefail".

# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"

set_machine "$arch"
case $arch in
amd64)
    console=ttyS0
    # Emulated, the wider instructions are slower than SSE: with FMA one frame took 3.1 s, without 0.45 s.
    qemu=("qemu-system-$machine" -cpu "max,-avx,-avx2,-fma,-f16c")
    ;;
arm64)
    console=ttyAMA0
    # The processor of a Raspberry Pi 4.
    qemu=("qemu-system-$machine" -machine virt -cpu cortex-a72)
    ;;
esac
# No KVM: where /dev/kvm exists in a virtual machine it may hang.
qemu+=(-accel "tcg,thread=multi" -smp 2 -m 1024 -no-reboot -nodefaults -display none)
# A kernel that made a mistake ends at once, with its trace on the console: what would follow says nothing of emotiond.
# On a busy machine ticks of an emulated timer come too late for the check whether they come at all.
# shellcheck disable=SC2034 # for the caller
kernel_arguments="console=$console loglevel=3 oops=panic panic=-1 no_timer_check mitigations=off random.trust_cpu=on"

# Leaves a kernel package as $cache/linux-image-*_$arch.deb: what was kept, else Debian 12's newest.
fetch_kernel() {
    mkdir -p "$cache"
    compgen -G "$cache/linux-image-*_$arch.deb" >/dev/null && return
    local part
    part=$(mktemp -d "$cache/.download.XXXXXX")
    # The package linux-image-ARCH stands for the one with the kernel, which it depends on.
    (
        cd "$part" || exit
        apt_elsewhere "$part/apt" "$arch" bookworm bookworm-security
        apt-cache depends "linux-image-$arch" | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | xargs apt-get download -qq
    )
    mv "$part"/linux-image-*.deb "$cache/"
    rm -rf "$part"
}

# unpack_kernel DEB MODULE...: prints a folder with vmlinuz and these modules and those that they need.
unpack_kernel() {
    local deb=$1 target part version module path
    shift
    # Another list of modules is another folder.
    target=$cache/$(basename "$deb" .deb).$(echo "$@" | cksum | cut -d' ' -f1)
    if ! [ -d "$target" ]; then
        part=$(mktemp -d "$cache/.unpack.XXXXXX")
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part" --wildcards './boot/vmlinuz-*' './lib/modules/*'
        version=$(basename "$part"/lib/modules/*)
        busybox depmod -b "$part" "$version"
        mkdir -p "$part/picked/lib/modules/$version"
        cp "$part/boot/vmlinuz-$version" "$part/picked/vmlinuz"
        for module in "$@"; do
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

# For vivid's output, which is a PAL signal.
vivid_pictures() {
    picture face.rgb 'scale=576:576,pad=720:576:72:0:gray' -pix_fmt rgb24 -f rawvideo
    picture empty.rgb 'scale=720:576,drawbox=t=fill:color=gray' -pix_fmt rgb24 -f rawvideo
}

# For the webcam, by V4L2's names of the formats.
webcam_pictures() {
    local format webcam='scale=240:240,pad=320:240:40:0:gray'
    for format in YUYV=yuyv422 UYVY=uyvy422 NV12=nv12 GREY=gray BGR3=bgr24; do
        picture "face.${format%=*}" "$webcam" -pix_fmt "${format#*=}" -f rawvideo
    done
    picture face.MJPG 'scale=480:480,pad=640:480:80:0:gray' -pix_fmt yuvj422p -c:v mjpeg -q:v 2 -f image2
}

# Packs the folder into $initramfs.cpio.
pack_initramfs() {
    (cd "$initramfs" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$initramfs.cpio"
}
