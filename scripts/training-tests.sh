#!/bin/sh
# The training toolkit's own tests in a virtual environment of the cache.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$("$root/scripts/training-venv.sh")
cd "$root/models/training"
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider
