#!/bin/bash
# Runs cargo for another architecture in a root of Debian 12 with Debian's own cross toolchain: rustc-web, whose
# package family has the standard library for other architectures, gcc-*-linux-gnu and that architecture's OpenSSL.
# So what is built needs no newer C library than Debian 12's, whatever this machine runs.
#
#   cross/build.sh ARCH TARGET-FOLDER [CARGO-ARGUMENT]...     ARCH: amd64 or arm64
#
# The root is made once, by mmdebstrap, and kept in ${EMOTIOND_CACHE:-~/.cache/emotiond}/cross-*; the crates are
# fetched by this machine's cargo. Needs root (or sudo): for mmdebstrap, mount and chroot.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
arch=${1:?"usage: $0 ARCH TARGET-FOLDER [CARGO-ARGUMENT]..."}
target=${2:?"usage: $0 ARCH TARGET-FOLDER [CARGO-ARGUMENT]..."}
shift 2

# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)

"$root/cross/root.sh" "$arch" "$gcc" >&2
chroot=$("$root/cross/root.sh" --path "$arch" "$gcc")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
cargo fetch --quiet --locked --manifest-path "$root/Cargo.toml"
mkdir -p "$target"

upper=${rust_triple//-/_}
# What is mounted goes with the namespace.
# shellcheck disable=SC2016 # expanded by the inner shell
exec "${sudo[@]}" unshare --mount bash -c '
    set -e
    chroot=$1 source=$2 cargo_home=$3 target=$4 user=$5
    shift 5
    mount --bind "$source" "$chroot/src"
    mount --bind "$cargo_home" "$chroot/cargo"
    mount --bind "$target" "$chroot/target"
    mount --bind /dev "$chroot/dev"
    mount -t proc proc "$chroot/proc"
    exec chroot --userspec="$user" "$chroot" /usr/bin/env -i "$@"
' - "$chroot" "$root" "$cargo_home" "$target" "$(id -u):$(id -g)" \
    PATH=/usr/bin:/bin HOME=/tmp CARGO_HOME=/cargo CARGO_TARGET_DIR=/target \
    "CARGO_TARGET_${upper^^}_LINKER=$gnu_triple-gcc" "CC_$upper=$gnu_triple-gcc" \
    PKG_CONFIG_ALLOW_CROSS=1 "PKG_CONFIG_LIBDIR_$upper=/usr/lib/$gnu_triple/pkgconfig" \
    /bin/sh -c 'cd /src && exec cargo --offline "$@"' - "$@"
