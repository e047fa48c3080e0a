#!/bin/sh
# Runs a program of another architecture by user-mode emulation, with the libraries of the root that it was built in.
#
#   cross/run.sh ARCH PROGRAM [ARGUMENT]...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
arch=${1:?"usage: $0 ARCH PROGRAM [ARGUMENT]..."}
shift
case $arch in
amd64) qemu=qemu-x86_64-static gcc=gcc-x86-64-linux-gnu ;;
arm64) qemu='qemu-aarch64-static -cpu cortex-a72' gcc=gcc-aarch64-linux-gnu ;;
*) echo "no emulation for $arch: there are amd64 and arm64" >&2; exit 2 ;;
esac
exec $qemu -L "$("$here/root.sh" --path "$arch" "$gcc")" "$@"
