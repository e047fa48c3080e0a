#!/bin/sh
# Builds the example vm-usb for a virtual machine of this architecture and prints its path.
#
#   tests/vm/usb/build.sh ARCH     ARCH: amd64 or arm64
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
arch=${1:?"usage: $0 ARCH"}
target=${CARGO_TARGET_DIR:-$root/target}
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
    (cd "$root" && cargo build --locked --example vm-usb >&2)
    echo "$target/debug/examples/vm-usb"
else
    # Of the release profile most crates are there already, from the package.
    "$root/cross/build.sh" "$arch" "$target/cross" build --release --locked --example vm-usb --target "$rust_triple" >&2
    echo "$target/cross/$rust_triple/release/examples/vm-usb"
fi
