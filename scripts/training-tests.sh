#!/bin/sh
# The training toolkit's own tests in a virtual environment of the cache.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# A changed list of packages makes another environment.
hash=$(sha256sum "$root/models/training/pyproject.toml" | cut -c1-12)
venv=$cache/training-$hash
if ! [ -f "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$root/models/training[test]"
    # Only what it depends on is kept: the tests run what is in the clone.
    "$venv/bin/pip" uninstall --quiet --yes emotion-training
    touch "$venv/ready"
fi
cd "$root/models/training"
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider
