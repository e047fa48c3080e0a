#!/bin/sh
# Makes the packages of what only some need and the package emotiond therefore does not hold; prints their paths.
#
#   scripts/extra-packages.sh [ARCH]     ARCH: amd64 or arm64; default: this machine
#
# emotiond-gpu: LiteRT's accelerator for GPUs. emotiond-people: the face descriptors of `emotiond people`.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
arch=${1:-$(dpkg --print-architecture)}
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)-1
set_package_time
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT INT TERM

# package NAME ARCH DEPENDS SUMMARY: packs $stage/NAME.
package() {
    mkdir -p "$stage/$1/DEBIAN" "$root/dist"
    cat >"$stage/$1/DEBIAN/control" <<CONTROL
Package: $1
Version: $version
Architecture: $2
Maintainer: The emotiond authors <emotiond@users.noreply.github.com>
Section: video
Priority: optional
Depends: $3
Installed-Size: $(du -sk --exclude=DEBIAN "$stage/$1" | cut -f 1)
Description: $4
CONTROL
    deb=$root/dist/$1_${version}_$2.deb
    dpkg-deb --root-owner-group --build "$stage/$1" "$deb" >/dev/null
    echo "$deb"
}

"$root/scripts/prepare.sh" gpu "$arch" >&2
folder=$stage/emotiond-gpu
install -D -m 644 "$root/third_party/$machine/libLiteRtWebGpuAccelerator.so" -t "$folder/usr/lib/emotiond"
install -D -m 644 "$root/third_party/LICENSE.litert" -t "$folder/usr/share/doc/emotiond-gpu"
package emotiond-gpu "$arch" "emotiond, libvulkan1" "LiteRT's GPU accelerator for emotiond"

"$root/scripts/prepare.sh" people-model >&2
"$root/scripts/people-model.sh" >&2
folder=$stage/emotiond-people
for file in "$root"/models/people/face-descriptor*.tflite "$root"/models/people/face-descriptor*.json; do
    install -D -m 644 "$file" -t "$folder/usr/lib/emotiond/models"
done
mkdir -p "$folder/usr/share/doc/emotiond-people"
tar -xzOf "$cache/vladmandic-face-api-1.7.15.tgz" package/LICENSE >"$folder/usr/share/doc/emotiond-people/copyright"
package emotiond-people all emotiond "Face descriptors with which emotiond recognises enrolled people"
