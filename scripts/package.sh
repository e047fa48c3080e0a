#!/bin/sh
# Makes the Debian package dist/emotiond_VERSION_ARCH.deb; prints its path, and on standard error what is in it.
#
#   scripts/package.sh [ARCH]     ARCH: amd64 or arm64; default: this machine's
#
# VERSION=1.2.3-1 overrides the version. The same commit and compiler give the same bytes.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
arch=${1:-$(dpkg --print-architecture)}
stage=$root/dist/stage
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"
set_machine "$arch"
"$root/scripts/prepare.sh" package "$arch" >&2
[ -x "$cache/tools/bin/cargo-deb" ] ||
    cargo install --quiet cargo-deb --version 3.8.0 --locked --root "$cache/tools"

programs=$("$root/scripts/release.sh" "$arch")

# Not before the build, part of which a changed time repeats.
set_package_time

rm -rf "$stage"
mkdir -p "$stage"
cp "$root/third_party/$machine/libLiteRt.so" "$stage/"
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
    "$programs/emotiond" generate --out "$stage"
else
    "$root/cross/run.sh" "$arch" "$programs/emotiond" generate --out "$stage"
fi
(
    cd "$root"
    echo "# Crates linked into emotiond: name, version, licence."
    cargo tree --locked --edges normal,no-proc-macro --target "$rust_triple" --prefix none \
        --format '{p} {l}' | sed 's/ (\*)$//; s, (/[^)]*),,' | LC_ALL=C sort -u
) >"$stage/crates.txt"

set -- --no-build --no-strip --quiet --output "$root/dist/"
[ -z "${VERSION:-}" ] || set -- "$@" --deb-version "$VERSION"
case $programs in
*/package/release) CARGO_TARGET_DIR=${programs%/release} ;;
*) CARGO_TARGET_DIR=${programs%/*/release} && set -- "$@" --target "$rust_triple" ;;
esac
export CARGO_TARGET_DIR
deb=$(cd "$root" && "$cache/tools/bin/cargo-deb" "$@")
rm -rf "$stage"

{
    dpkg-deb --contents "$deb" | awk '$1 !~ /^d/ { printf "%10d %s\n", $3, substr($6, 2) }'
    echo "runtime $(sha256sum "$root/third_party/$machine/libLiteRt.so" | cut -c1-64)"
    echo "package $(sha256sum "$deb" | cut -c1-64), $(stat -c %s "$deb") bytes"
} >&2
echo "$deb"
