#!/bin/sh
# Prints the virtual environment, in the cache, with all that the training toolkit depends on; makes it first.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# A changed lock file makes another environment.
lock=$root/models/training/requirements.lock
hash=$(sha256sum "$lock" | cut -c1-12)
venv=$cache/training-$hash
if ! [ -f "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2
    touch "$venv/ready"
fi
echo "$venv"
