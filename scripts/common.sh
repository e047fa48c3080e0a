# shellcheck shell=sh
# Sourced by what builds, packs and tests packages: an architecture's other names, the time in a package, packages of
# another architecture than this machine's. The caller has set root, the clone's folder.

# set_machine ARCH: for Debian's amd64 or arm64, the kernel's name of the machine and the GNU and Rust triples.
# shellcheck disable=SC2034 # for the caller
set_machine() {
    case $1 in
    amd64) machine=x86_64 gcc=gcc-x86-64-linux-gnu ;;
    arm64) machine=aarch64 gcc=gcc-aarch64-linux-gnu ;;
    *) echo "nothing is built for the architecture $1: there are amd64 and arm64" >&2; exit 2 ;;
    esac
    gnu_triple=$machine-linux-gnu
    rust_triple=$machine-unknown-linux-gnu
}

# The commit's time stands for every time in a package, unless the caller has another.
set_package_time() {
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.toml")}
    export SOURCE_DATE_EPOCH
}

# apt_elsewhere FOLDER ARCH SUITE...: has apt look, from here on, only at these suites of Debian and for ARCH, as if
# nothing were installed. FOLDER, absolute, holds its state. This machine's apt is left as it is.
apt_elsewhere() {
    apt_folder=$1 apt_arch=$2
    shift 2
    mkdir -p "$apt_folder/lists/partial" "$apt_folder/archives/partial"
    : >"$apt_folder/status"
    for suite in "$@"; do
        case $suite in *-security) apt_path=debian-security ;; *) apt_path=debian ;; esac
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/$apt_path $suite main"
    done >"$apt_folder/sources.list"
    cat >"$apt_folder/apt.conf" <<CONF
APT::Architecture "$apt_arch"; APT::Architectures { "$apt_arch"; };
Dir::Etc { sourcelist "$apt_folder/sources.list"; sourceparts "-"; };
Dir::State "$apt_folder"; Dir::State::lists "$apt_folder/lists"; Dir::State::status "$apt_folder/status";
Dir::Cache "$apt_folder"; Acquire::Languages "none"; APT::Sandbox::User "root";
CONF
    export APT_CONFIG="$apt_folder/apt.conf"
    apt-get update -qq
}
