#!/bin/sh
# Prints a folder with the npm packages of a lock file below node_modules/; installs them where they are missing.
#
#   scripts/npm-modules.sh FOLDER     FOLDER holds package.json and package-lock.json
set -eu
folder=${1:?"usage: $0 FOLDER"}
# A changed lock file makes another folder.
modules=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}/npm-$(sha256sum "$folder/package-lock.json" | cut -c1-12)
if ! [ -f "$modules/ready" ]; then
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$folder/package.json" "$folder/package-lock.json" "$modules"
    (cd "$modules" && npm ci --silent --no-audit --no-fund --ignore-scripts >&2)
    touch "$modules/ready"
fi
echo "$modules"
