#!/bin/sh
# Runs emotiond on this machine as it is: the first camera, else NASA's portrait moved as a camera would
# see it; the broker on localhost:1883, else a private one there; the display's picture in the terminal.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
emotiond=${CARGO_TARGET_DIR:-$root/target}/release/emotiond
portrait=$root/third_party/portrait.png
clip=$root/third_party/portrait.mkv
port=1883
page=8080
work=$(mktemp -d)
broker=
daemon=

stop() {
    trap - EXIT INT TERM
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
    [ -z "$broker" ] || { kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; }
    rm -rf "$work"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

listening() {
    python3 -c 'import socket, sys; socket.create_connection(("localhost", int(sys.argv[1])), 1).close()' "$1" 2>/dev/null
}

# Two slow waves with periods that divide the clip's 16 s, so that it repeats without a jump.
make_clip() {
    wave="sin(2*PI*on/240)"
    slow="sin(2*PI*on/480+1)"
    ffmpeg -loglevel error -y -loop 1 -framerate 30 -i "$portrait" -t 16 -filter_complex \
        "crop=512:384:0:0,scale=2048:1536,zoompan=d=1:fps=30:s=640x480:z='1.5+0.35*$wave':x='0.44*iw-iw/zoom/2+0.06*iw*$slow':y='0.36*ih-ih/zoom/2+0.05*ih*$wave'" \
        -c:v libx264 -preset veryfast -pix_fmt yuv420p "$clip.part.mkv"
    mv "$clip.part.mkv" "$clip"
}

if "$emotiond" devices --json 2>/dev/null |
    python3 -c 'import json, sys; sys.exit(not any(c["problem"] is None for c in json.load(sys.stdin)["cameras"]))'; then
    source=auto
    echo "camera:  the first that delivers pictures"
else
    [ -f "$clip" ] || make_clip
    source=replay:$clip
    echo "camera:  none found, replaying NASA's portrait of Eileen Collins (plug in a webcam and start again)"
fi

if listening $port; then
    echo "broker:  the one on localhost:$port"
else
    printf 'listener %s 127.0.0.1\nallow_anonymous true\n' $port >"$work/mosquitto.conf"
    # /usr/sbin is in no user's PATH on Debian.
    # In a session of its own, so that Ctrl-C reaches the daemon first, which says goodbye to it.
    PATH=$PATH:/usr/sbin setsid mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
    broker=$!
    tries=0
    until listening $port; do
        tries=$((tries + 1))
        if [ $tries -ge 50 ] || ! kill -0 "$broker" 2>/dev/null; then
            cat "$work/mosquitto.log" >&2
            echo "unable to start a broker on localhost:$port" >&2
            exit 1
        fi
        sleep 0.1
    done
    echo "broker:  a private one on localhost:$port, for as long as this runs"
fi

if listening $page; then
    echo "page:    none, another program has port $page"
    page=
else
    echo "page:    http://127.0.0.1:$page/"
fi
echo "see it:  mosquitto_sub -h localhost -p $port -t 'emotiond/#' -v"
echo "stop it: Ctrl-C"
echo

"$emotiond" run --show --set "camera.source=$source" --set "mqtt.url=mqtt://localhost:$port" \
    --set "web.listen=${page:+127.0.0.1:$page}" --set "device.state_dir=${XDG_STATE_HOME:-$HOME/.local/state}/emotiond" --set log.level=warn &
daemon=$!
wait "$daemon"
