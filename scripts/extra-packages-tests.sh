#!/bin/bash
# Installs the package and its extras together in a Debian 13 with a software Vulkan driver (that of Debian 12 lacks a
# feature that the accelerator wants), and uses both: the emotion net on the GPU's accelerator, and a person who was
# enrolled from a photo.
#
#   scripts/extra-packages-tests.sh DEB EXTRA-DEB...
#
# The root is made once, by mmdebstrap, and kept as ${EMOTIOND_CACHE:-~/.cache/emotiond}/extras-*.tar. Needs root (or
# sudo): for mmdebstrap and chroot.
set -euo pipefail
usage="usage: $0 DEB EXTRA-DEB..."
: "${2:?"$usage"}"
root=$(realpath "$(dirname "$0")/..")
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
work=$(mktemp -d)
trap '"${sudo[@]}" rm -rf "$work"' EXIT

ok() { echo "ok extras: $*"; }
fail() { echo "not ok extras: $*" >&2; exit 1; }

# Another list of packages makes another root.
tar=$cache/extras-$(sed -n '/mmdebstrap/,/security main/p' "$0" | sha256sum | cut -c1-12).tar
if ! [ -f "$tar" ]; then
    echo "making a root of Debian 13 with a Vulkan driver" >&2
    mkdir -p "$cache"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    "${sudo[@]}" mmdebstrap --quiet --mode=root --variant=minbase --format=tar \
        --include=systemd,libssl3t64,libstdc++6,libvulkan1,mesa-vulkan-drivers \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        trixie "$work/root.tar" \
        "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" \
        "deb [signed-by=$keyring] http://deb.debian.org/debian-security trixie-security main"
    rm -f "$cache"/extras-*.tar
    mv "$work/root.tar" "$tar"
fi
mkdir "$work/root"
"${sudo[@]}" tar -x -C "$work/root" -f "$tar"
# The runtime reads of the processor in /proc and /sys. What is mounted goes with the namespace.
# shellcheck disable=SC2016 # expanded by the inner shell
inside() {
    "${sudo[@]}" unshare --mount sh -c '
        mount -t proc proc "$1/proc" && mount --bind /sys "$1/sys" && mount --bind /dev "$1/dev"
        root=$1 && shift && exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root "$@"
    ' - "$work/root" "$@"
}

"${sudo[@]}" install -d "$work/root/debs"
"${sudo[@]}" cp "$@" "$work/root/debs/"
"${sudo[@]}" cp "$root/third_party/portrait.png" "$work/root/root/"
inside sh -c 'dpkg --install /debs/*.deb' >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "installed"; }
ok "installed: $(inside dpkg-query -W -f "\${Package} \${Version} \${db:Status-Status}, " "emotiond*")"

said=$(inside emotiond classify --set classifier.delegate=gpu --json /root/portrait.png 2>"$work/log") ||
    { cat "$work/log" >&2; fail "classify on the GPU"; }
grep -q 'on gpu ([0-9]* of [0-9]* nodes)' "$work/log" || { cat "$work/log" >&2; fail "the net runs on the GPU"; }
grep -q '"emotion":"happy"' <<<"$said" || fail "the portrait is happy: $said"
ok "$(grep -o 'on gpu ([0-9]* of [0-9]* nodes)' "$work/log" | head -n 1), and the portrait is happy"

inside emotiond people add Eileen /root/portrait.png >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "enrolled"; }
said=$(inside emotiond people who /root/portrait.png 2>"$work/log") || { cat "$work/log" >&2; fail "who"; }
grep -q Eileen <<<"$said" || fail "she is known: $said"
ok "enrolled and recognised: $said"

inside dpkg --purge emotiond-gpu emotiond-people emotiond >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "purged"; }
left=$(inside find / -xdev -iname '*emotiond*' -not -path '/proc/*' -not -path '/debs/*')
[ -z "$left" ] || fail "purged, but left behind: $left"
ok "purged without a trace"
