#!/bin/sh
# Prints the virtual environment, in the cache, with all that the training toolkit depends on; makes it first.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# A changed list of packages makes another environment.
hash=$(sha256sum "$root/models/training/pyproject.toml" | cut -c1-12)
venv=$cache/training-$hash
if ! [ -f "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$root/models/training[test]" >&2
    # Only what it depends on is kept: what is run is what is in the clone.
    "$venv/bin/pip" uninstall --quiet --yes emotion-training >&2
    touch "$venv/ready"
fi
echo "$venv"
