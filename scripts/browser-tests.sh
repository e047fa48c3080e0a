#!/bin/sh
# The page in a real browser, and the API against its own OpenAPI document. Both drive the program given,
# by default the debug build.
#
#   scripts/browser-tests.sh [PROGRAM]     SCREENSHOTS=DIR keeps a picture of every view, SEED=N asks the API otherwise
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
program=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/emotiond}
[ -x "$program" ] || { echo "$program is missing: run cargo build" >&2; exit 1; }

modules=$("$root/scripts/npm-modules.sh" "$root/tests/browser")
# Changed requirements make another environment.
venv=$cache/schemathesis-$(sha256sum "$root/tests/browser/requirements.txt" | cut -c1-12)
if ! [ -f "$venv/ready" ]; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/tests/browser/requirements.txt"
    touch "$venv/ready"
fi

EMOTIOND=$program BROWSER_MODULES=$modules node --test --test-timeout=600000 "$root/tests/browser/page.test.mjs"

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
# Two answers have no end: tests/it/web.rs reads them.
cd "$work"
"$venv/bin/st" --config-file "$root/tests/browser/schemathesis.toml" run "$origin/openapi.json" \
    --exclude-path /api/v1/events --exclude-path /api/v1/stream.mjpg --seed "${SEED:-1}" --no-color
kill -0 "$daemon" || { cat "$work/log" >&2; daemon=; exit 1; }
