#!/bin/sh
# The training toolkit's style, types and tests, in a virtual environment of the cache. Arguments go to
# pytest: `-m slow` exports the nets that nobody ships.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$("$root/scripts/training-venv.sh")
cd "$root/models/training"
"$venv/bin/ruff" check --quiet .
"$venv/bin/ruff" format --check --quiet .
"$venv/bin/mypy" --no-error-summary
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
