#!/bin/sh
# The page in a real browser, and the API against its own OpenAPI document. Both drive the program given,
# by default the debug build.
#
#   scripts/browser-tests.sh [PROGRAM]     SCREENSHOTS=DIR keeps a picture of every view
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
program=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/emotiond}
[ -x "$program" ] || { echo "$program is missing: run cargo build" >&2; exit 1; }

# A changed lock file makes another folder.
hash=$(cat "$root/tests/browser/package-lock.json" "$root/tests/browser/requirements.txt" | sha256sum | cut -c1-12)
tools=$cache/browser-$hash
if ! [ -f "$tools/ready" ]; then
    rm -rf "$tools"
    mkdir -p "$tools"
    cp "$root/tests/browser/package.json" "$root/tests/browser/package-lock.json" "$tools"
    (cd "$tools" && npm ci --silent --no-audit --no-fund --ignore-scripts)
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/tests/browser/requirements.txt"
    touch "$tools/ready"
fi

EMOTIOND=$program BROWSER_MODULES=$tools node --test --test-timeout=300000 "$root/tests/browser/page.test.mjs"

work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
"$program" run --set "camera.source=replay:$root/third_party/portrait.png" --set mqtt.url= --set display.driver=none \
    --set "device.state_dir=$work/state" --set web.listen=127.0.0.1:0 2>"$work/log" &
daemon=$!
origin=
while [ -z "$origin" ]; do
    kill -0 "$daemon" 2>/dev/null || { cat "$work/log" >&2; daemon=; exit 1; }
    origin=$(sed -n 's|.*listening on \(http://[0-9.:]*\)/.*|\1|p' "$work/log")
    sleep 0.1
done
# Two answers have no end: tests/web.rs reads them.
cd "$work"
"$tools/venv/bin/st" --config-file "$root/tests/browser/schemathesis.toml" run "$origin/openapi.json" \
    --exclude-path /api/v1/events --exclude-path /api/v1/stream.mjpg --no-color
kill -0 "$daemon" || { cat "$work/log" >&2; daemon=; exit 1; }
