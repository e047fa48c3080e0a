#!/bin/sh
# Writes requirements.lock: the exact packages, with their hashes, that the tests run with. Needs uv.
set -eu
cd "$(dirname "$0")/../models/training"
# uv takes a version of backports-strenum that says it is for older Pythons only.
echo "backports-strenum<1.3" | uv pip compile pyproject.toml --extra train --extra test --universal --python-version 3.11 --quiet \
    --generate-hashes --no-annotate --no-header --override - --output-file requirements.lock
