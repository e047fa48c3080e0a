#!/bin/bash
# The README's two commands on a machine that has never built anything: a bare Debian with make, git and Rust, and
# nothing of this machine's but a clone of this commit, the toolchain (read-only) and the package mirrors'
# configuration. Then both again, with the network taken away.
#
#   scripts/fresh-test.sh [SUITE]...     bookworm (Debian 12), trixie (13); default: both
#
# The roots are made once, by mmdebstrap, and kept as ${EMOTIOND_CACHE:-~/.cache/emotiond}/fresh-*.tar. LOGS=DIR keeps
# what each command wrote. Prints minutes and megabytes. Needs root (or sudo): for mmdebstrap, mount and chroot.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
logs=${LOGS:-$(mktemp -d)}
work=
trap '[ -z "$work" ] || "${sudo[@]}" rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM

ok() { echo "ok fresh: $*"; }
fail() {
    tail -n 40 "$2" >&2
    echo "not ok fresh: $1; all that was written: $2" >&2
    exit 1
}

# bare SUITE: the path of the suite's root as a tar file.
bare() {
    # Another list of packages makes another root.
    local tar
    tar=$cache/fresh-$1-$(sed -n '/mmdebstrap --quiet/,/security main/p' "$0" | sha256sum | cut -c1-12).tar
    if ! [ -f "$tar" ]; then
        echo "making a bare root of $1" >&2
        local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
        mkdir -p "$cache"
        "${sudo[@]}" mmdebstrap --quiet --mode=root --variant=minbase --format=tar \
            --include=make,git,ca-certificates,procps "$1" "$tar.part" \
            "deb [signed-by=$keyring] http://deb.debian.org/debian $1 main" \
            "deb [signed-by=$keyring] http://deb.debian.org/debian-security $1-security main" >&2
        mv "$tar.part" "$tar"
    fi
    echo "$tar"
}

# What reaches this machine's mirrors. Lists of packages are the root's own.
copy_mirrors() {
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/apt/apt.conf.d/*proxy* /etc/apt/auth.conf.d/* \
        /etc/ssl/certs/ca-certificates.crt /etc/npmrc; do
        [ -f "$file" ] || continue
        "${sudo[@]}" install -D -m 644 "$file" "$work/root$file"
    done
    file=${CARGO_HOME:-$HOME/.cargo}/config.toml
    [ ! -f "$file" ] || "${sudo[@]}" install -D -m 644 "$file" "$work/root/root/.cargo/config.toml"
}

# inside NETWORK COMMAND...: in the root with an empty environment; NETWORK: online, or offline, which leaves loopback.
# What is mounted and what is still running goes with the namespaces.
# shellcheck disable=SC2016 # expanded by the inner shell
inside() {
    local network=()
    [ "$1" = online ] || network=(--net)
    shift
    "${sudo[@]}" unshare --mount --pid --fork --kill-child "${network[@]}" bash -c '
        set -e
        root=$1 toolchain=$2
        shift 2
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/tmp"
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        mount --bind "$toolchain" "$root/opt/rust"
        mount -o remount,bind,ro "$root/opt/rust"
        ip link set lo up
        exec chroot "$root" /usr/bin/env -i PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root USER=root LANG=C.UTF-8 "$@"
    ' - "$work/root" "$(rustc --print sysroot)" "$@"
}

megabytes() { "${sudo[@]}" du -xsm "$work/root" | cut -f1; }

# try NETWORK NAME COMMAND: runs it, keeps what it writes, says how long it took.
try() {
    local log=$logs/$suite-$1-$2.txt begin=$SECONDS
    inside "$1" sh -c "cd /root/emotiond && $3" >"$log" 2>&1 </dev/null || fail "$suite, $1: $2" "$log"
    ok "$suite, $1: $2 in $(((SECONDS - begin) / 60)) min $(((SECONDS - begin) % 60)) s, $(($(megabytes) - bare_size)) MB more than before"
}

# `make run` until its first emotion was told and its page was read, then Ctrl-C, as a terminal sends it: to the whole
# group, whose interrupt a shell without a terminal had set to be ignored. Nothing may be left, and no warning at the end.
# shellcheck disable=SC2016 # expanded by the inner shell
make_run='
setsid env --default-signal=INT make run >/root/run.txt 2>&1 &
make=$!
tail -n +1 -F --pid=$make /root/run.txt 2>/dev/null &
until grep -q "^page: " /root/run.txt 2>/dev/null; do kill -0 $make || exit 1; sleep 1; done
emotion=$(mosquitto_sub -h localhost -t "emotiond/+/emotion" -C 1 -W 120) || { echo "no emotion is told"; exit 1; }
echo "told: $emotion"
python3 -c "import urllib.request as u; assert b\"emotiond\" in u.urlopen(\"http://127.0.0.1:8080/\").read()"
sed -n "s/.*\(page: .*\)/read: \1/p" /root/run.txt
kill -INT -$make
wait $make || true
for program in emotiond mosquitto ffmpeg; do ! pgrep -x $program || { echo "$program is left running"; exit 1; }; done
! sed "1,/^stop it/d" /root/run.txt | grep -iE "warn|error" || { echo "warned"; exit 1; }
'

[ $# -gt 0 ] || set -- bookworm trixie
mkdir -p "$logs"
for suite in "$@"; do
    tar=$(bare "$suite")
    # Beside the other downloads: /tmp may be small, or memory.
    work=$(mktemp -d "$cache/.fresh.XXXXXX")
    mkdir "$work/root"
    "${sudo[@]}" tar -x -C "$work/root" -f "$tar"
    "${sudo[@]}" mkdir -p "$work/root/opt/rust"
    copy_mirrors
    "${sudo[@]}" git clone --quiet --no-hardlinks "$root" "$work/root/root/emotiond"
    bare_size=$(megabytes)
    try online run "$make_run"
    try online test "make test"
    try offline run "$make_run"
    try offline test "make test"
    "${sudo[@]}" rm -rf --one-file-system "$work"
    work=
done
