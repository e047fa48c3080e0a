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
case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "no package for $arch: there are amd64 and arm64" >&2; exit 2 ;;
esac
"$root/scripts/prepare.sh" package "$machine" >&2
[ -x "$cache/tools/bin/cargo-deb" ] ||
    cargo install --quiet cargo-deb --version 3.8.0 --locked --root "$cache/tools"

programs=$("$root/scripts/release.sh" "$arch")

# The commit's time stands for every time in the package. Not before the build, part of which a changed one repeats.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.toml")}
export SOURCE_DATE_EPOCH

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
    cargo tree --locked --edges normal,no-proc-macro --target "$machine-unknown-linux-gnu" --prefix none \
        --format '{p} {l}' | sed 's/ (\*)$//; s, (/[^)]*),,' | LC_ALL=C sort -u
) >"$stage/crates.txt"

set -- --no-build --no-strip --quiet --output "$root/dist/"
[ -z "${VERSION:-}" ] || set -- "$@" --deb-version "$VERSION"
case $programs in
*/package/release) CARGO_TARGET_DIR=${programs%/release} ;;
*) CARGO_TARGET_DIR=${programs%/*/release} && set -- "$@" --target "$machine-unknown-linux-gnu" ;;
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
