#!/bin/sh
# Makes the root of Debian 12 that cross/build.sh builds in, once.
#
#   cross/root.sh ARCH GCC-PACKAGE            makes it where it is missing
#   cross/root.sh --path ARCH GCC-PACKAGE     prints where it is
set -eu
path=
[ "$1" != --path ] || { path=yes; shift; }
arch=$1 gcc=$2
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# A changed script makes another root.
root=$cache/cross-$arch-$(sha256sum "$0" | cut -c1-12)
[ -z "$path" ] || { echo "$root"; exit; }
[ ! -f "$root/ready" ] || exit 0

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "making a root of Debian 12 to build for $arch in"
# bindgen (v4l2-sys-mit) needs libclang and the C library's headers, native-tls OpenSSL; the runtime needs libstdc++.
packages=cargo-web,rustc-web,libstd-rust-web-dev:$arch,gcc,libc6-dev,libclang-dev,pkg-config
packages=$packages,$gcc,libc6-dev:$arch,libssl-dev:$arch,libstdc++6:$arch,zlib1g:$arch
mkdir -p "$cache"
part=$(mktemp -d "$cache/.cross.XXXXXX")
trap '$sudo rm -rf "$part"' EXIT INT TERM
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
$sudo mmdebstrap --quiet --mode=root --variant=apt --architectures="$(dpkg --print-architecture),$arch" \
    --include="$packages" bookworm "$part/root" \
    "deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main" \
    "deb [signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main"
$sudo mkdir -p "$part/root/src" "$part/root/cargo" "$part/root/target"
# What is run by emulation would see this machine's processor, and the runtime's cpuinfo dies of one without ARM's
# fields: that of a Raspberry Pi 4, which qemu's -L finds before the real one.
[ "$arch" != arm64 ] || for processor in 0 1; do
    printf '%s\t: %s\n' processor $processor Features 'fp asimd evtstrm crc32 cpuid' 'CPU implementer' 0x41 \
        'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd08 'CPU revision' 3
    echo
done | $sudo tee "$part/root/proc/cpuinfo" >/dev/null
$sudo touch "$part/root/ready"
$sudo rm -rf "$cache/cross-$arch"-*
$sudo mv "$part/root" "$root"
