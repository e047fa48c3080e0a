#!/bin/sh
# Tests emotiond against the real Home Assistant, whose package needs Python 3.13: that comes from Debian
# 13's packages, unpacked into the cache beside the package itself. Neither root nor a chroot is needed.
#
#   scripts/home-assistant-tests.sh EMOTIOND
set -eu
emotiond=$(realpath "${1:?"usage: $0 EMOTIOND"}")
root=$(cd "$(dirname "$0")/.." && pwd)
tests=$root/tests/home_assistant
cache=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}
# A changed script or list of packages makes another environment.
hash=$(cat "$0" "$tests/requirements.txt" | sha256sum | cut -c1-12)
home=$cache/home-assistant-$hash

# fetch_python FOLDER: Python and the C library that it was built for.
fetch_python() {
    apt=$1/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$1/root"
    : >"$apt/status"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" >"$apt/sources.list"
    # Nothing of this machine's own apt is read or written but its proxy and the like.
    cat >"$apt/apt.conf" <<EOF
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
EOF
    APT_CONFIG=$apt/apt.conf apt-get update -qq
    APT_CONFIG=$apt/apt.conf apt-get install -qq -y --download-only python3.13-minimal libpython3.13-stdlib \
        python3-pip-whl >/dev/null
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$1/root"
    done
    rm -rf "$apt"
    # The program's own loader path names this machine's C library, which may be older.
    cat >"$1/python" <<'EOF'
#!/bin/sh
here=$(dirname "$0")
lib=$(echo "$here"/root/usr/lib/*-linux-gnu)
PYTHONHOME=$here/root/usr exec "$lib"/ld-linux-*.so.* --argv0 "$0" --library-path "$lib" "$here/root/usr/bin/python3.13" "$@"
EOF
    chmod +x "$1/python"
}

if ! [ -f "$home/ready" ]; then
    rm -rf "$cache"/home-assistant-*
    mkdir -p "$home"
    echo "fetching Home Assistant"
    fetch_python "$home"
    # Exact versions and no resolving: the list is whole.
    PYTHONPATH=$(echo "$home"/root/usr/share/python-wheels/pip-*.whl) PIP_ROOT_USER_ACTION=ignore \
        "$home/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --target "$home/site" --no-compile --requirement "$tests/requirements.txt"
    touch "$home/ready"
fi
EMOTIOND=$emotiond PYTHONPATH=$home/site PYTHONDONTWRITEBYTECODE='' \
    exec "$home/python" -m pytest -q -x -p no:cacheprovider --rootdir "$tests" "$tests"
