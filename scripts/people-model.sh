#!/bin/sh
# Builds the face descriptors in models/people from the npm package that holds the net's weights. With TEST=1
# also tests them against the package's own JavaScript.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
folder=$root/models/people
package=$cache/vladmandic-face-api-1.7.15.tgz

# convert.py knows the package's SHA-256.
if ! [ -f "$package" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.download.XXXXXX")
    trap 'rm -rf "$work"' EXIT INT TERM
    (cd "$work" && npm pack --silent @vladmandic/face-api@1.7.15 >/dev/null)
    mv "$work/vladmandic-face-api-1.7.15.tgz" "$package"
fi
venv=$("$root/scripts/training-venv.sh")
"$venv/bin/python" "$folder/convert.py" "$package" "$folder"

[ "${TEST:-}" = 1 ] || exit 0
modules=$("$root/scripts/npm-modules.sh" "$folder/tests")
cd "$folder"
PYTHONPATH=. PEOPLE_PACKAGE=$package PEOPLE_MODULES=$modules "$venv/bin/python" -m pytest -q -rP -p no:cacheprovider tests
