#!/bin/sh
# Runs a program of another architecture by user-mode emulation, with the libraries of the root that it was built in.
#
#   cross/run.sh ARCH PROGRAM [ARGUMENT]...
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
arch=${1:?"usage: $0 ARCH PROGRAM [ARGUMENT]..."}
shift
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
# The runtime knows an ARM processor by what cross/root.sh has written down of one.
[ "$arch" != arm64 ] || set -- -cpu cortex-a72 "$@"
exec "qemu-$machine-static" -L "$("$root/cross/root.sh" --path "$arch" "$gcc")" "$@"
