#!/bin/sh
# Builds emotiond as it is shipped: with the feature `packaged` and without the paths of this machine, so that
# the same sources and compiler give the same bytes wherever the clone lies.
#
#   scripts/release.sh ARCH     ARCH: amd64 or arm64
#
# Prints the folder of the program: target/package/release, or for another architecture than this machine's, which
# cross/build.sh builds for, target/cross/TRIPLE/release.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
arch=${1:?"usage: $0 ARCH"}
target=${CARGO_TARGET_DIR:-$root/target}

# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
# Nothing else with it: an example would bring features of the development dependencies.
set -- build --release --locked --features packaged --bin emotiond

if [ "$arch" = "$(dpkg --print-architecture)" ]; then
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    RUSTFLAGS="--remap-path-prefix=$root=/src --remap-path-prefix=$cargo_home=/cargo" \
        CFLAGS="-ffile-prefix-map=$root=/src -ffile-prefix-map=$cargo_home=/cargo" \
        CARGO_TARGET_DIR=$target/package cargo "$@" >&2
    echo "$target/package/release"
else
    "$root/cross/build.sh" "$arch" "$target/cross" "$@" --target "$rust_triple" >&2
    echo "$target/cross/$rust_triple/release"
fi
