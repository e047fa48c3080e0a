#!/bin/bash
# Looks at a package: what is linked against the dependencies that it declares, no path of this machine, the unit's
# score, Debian's own checks. A package for another architecture is run by user-mode emulation, too: it must say of
# the portrait what this machine's program says.
#
#   scripts/package-tests.sh DEB [EMOTIOND]     EMOTIOND: this machine's program, to compare with
set -euo pipefail
deb=$(realpath "${1:?"usage: $0 DEB [EMOTIOND]"}")
reference=${2:-}
root=$(realpath "$(dirname "$0")/..")
arch=$(dpkg-deb --field "$deb" Architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb --extract "$deb" "$work/root"
program=$work/root/usr/bin/emotiond

ok() { echo "ok $arch: $*"; }
fail() { echo "not ok $arch: $*" >&2; exit 1; }

# newest FILE PREFIX: the newest version of the prefix's symbols that the file needs.
newest() { objdump -T "$1" | { grep -oP "\($2_\K[0-9.]+" || true; } | sort -uV | tail -n 1; }

# at_most WHAT FILE PREFIX LIMIT
at_most() {
    local version
    version=$(newest "$2" "$3")
    [ "$(printf '%s\n%s\n' "${version:-0}" "$4" | sort -V | tail -n 1)" = "$4" ] ||
        fail "$1 needs $3_$version, newer than $3_$4"
    ok "$1 needs at most $3_${version:-nothing}"
}

# The oldest systems that the package is for: JetPack 6 (Ubuntu 22.04) has glibc 2.35, GCC 12 and OpenSSL 3.0.
for file in "$program" "$work/root/usr/lib/emotiond/libLiteRt.so"; do
    name=$(basename "$file")
    at_most "$name" "$file" GLIBC 2.35
    at_most "$name" "$file" GLIBCXX 3.4.30
    at_most "$name" "$file" OPENSSL 3.0.0
    while read -r library; do
        case $library in
        libc.so.6 | libm.so.6 | libdl.so.2 | librt.so.1 | libpthread.so.0 | ld-linux-*.so.*) package=libc6 ;;
        libgcc_s.so.1) package=libgcc-s1 ;;
        libstdc++.so.6) package=libstdc++6 ;;
        libssl.so.3 | libcrypto.so.3) package=libssl3 ;;
        *) fail "$name is linked with $library, of which no dependency is known" ;;
        esac
        dpkg-deb --field "$deb" Depends | grep -qE "(^|[ ,])${package//+/\\+}([ ,(]|\$)" ||
            fail "$name is linked with $library, but the package does not depend on $package"
    done < <(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }')
    ok "$name is linked with what the package depends on"
done

for path in "$root" "${CARGO_HOME:-$HOME/.cargo}"; do
    ! grep -qF "$path/" "$program" || fail "emotiond holds the path $path of the machine that built it"
done
ok "no path of this machine"

size=$(stat -c %s "$deb")
[ "$size" -lt 12000000 ] || fail "$size bytes, 12 MB or more"
ok "$size bytes"

for file in etc/emotiond/emotiond.toml usr/share/man/man1/emotiond.1.gz usr/share/man/man1/emotiond-classify.1.gz \
    usr/share/man/man5/emotiond.toml.5.gz usr/share/doc/emotiond/README.md usr/share/doc/emotiond/docs/troubleshooting.md \
    usr/share/bash-completion/completions/emotiond usr/lib/emotiond/models/emotion.json \
    usr/lib/emotiond/models/face.tflite usr/lib/emotiond/models/face-full-range.tflite usr/share/doc/emotiond/LICENSE.litert; do
    [ -s "$work/root/$file" ] || fail "/$file is missing"
done
dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./conffiles | grep -qx /etc/emotiond/emotiond.toml ||
    fail "the configuration is no conffile"
ok "whole"

unit=$work/root/usr/lib/systemd/system/emotiond.service
for use in '' rpicam spi coral gpu; do
    mkdir -p "$work/unit" && cp "$unit" "$work/unit/"
    [ -z "$use" ] || install -D "$work/root/usr/share/emotiond/systemd/$use.conf" "$work/unit/emotiond.service.d/$use.conf"
    line=$(systemd-analyze security --offline=true --no-pager "$work/unit/emotiond.service" 2>/dev/null | tail -n 1)
    score=$(sed -n 's/.*: \([0-9.]*\) .*/\1/p' <<<"$line")
    awk -v score="$score" -v limit="${use:+3}" 'BEGIN { exit !(score != "" && score <= (limit ? limit : 2)) }' ||
        fail "the unit's score is $score"
    ok "the unit's score${use:+ with $use.conf} is $score"
    rm -rf "$work/unit"
done
unknown=$(systemd-analyze verify --man=no "$unit" 2>&1 |
    grep -vE "Command /usr/bin/emotiond is not executable" | grep "$unit" || true)
[ -z "$unknown" ] || fail "$unknown"

# answer PROGRAM...: what it says of the portrait, with numbers rounded.
answer() {
    EMOTIOND_RUNTIME=$work/root/usr/lib/emotiond EMOTIOND_MODELS=$work/root/usr/lib/emotiond/models \
        "$@" classify --json "$root/third_party/portrait.png"
}
if [ -n "$reference" ] && [ "$arch" != "$(dpkg --print-architecture)" ]; then
    answer "$root/cross/run.sh" "$arch" "$program" >"$work/there"
    machine=$(uname -m)
    EMOTIOND_RUNTIME=$root/third_party/$machine EMOTIOND_MODELS=$work/root/usr/lib/emotiond/models \
        "$reference" classify --json "$root/third_party/portrait.png" >"$work/here"
    python3 - "$work/here" "$work/there" <<'PYTHON' || fail "the programs differ"
import json, sys

def differing(a, b, place=""):
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for key in a for d in differing(a[key], b[key], f"{place}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, pair in enumerate(zip(a, b)) for d in differing(*pair, f"{place}[{i}]")]
    if isinstance(a, float) and isinstance(b, float):
        # Boxes are in pixels, scores from 0 to 1; one step of an int8 logit is some hundredths.
        return [] if abs(a - b) <= (0.5 if ".box." in place else 0.03) else [f"{place}: {a} and {b}"]
    return [] if a == b else [f"{place}: {a} and {b}"]

here, there = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
problems = differing(here, there)
face = there[0]["faces"][0]
print(f"  | {face['emotion']} {face['confidence']} of {len(there[0]['faces'])} face(s), here {here[0]['faces'][0]['confidence']}")
sys.exit("\n".join(problems) or None)
PYTHON
    ok "the same answer as on $(dpkg --print-architecture)"
fi
