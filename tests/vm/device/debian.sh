#!/bin/sh
# Makes a disk image of Debian 12 with systemd and mosquitto, as a user's device has them before emotiond comes.
#
#   debian.sh ARCH ROOT-FOLDER IMAGE     ARCH: amd64 or arm64
set -eu
arch=$1 root=$2 image=$3
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/../../../scripts/common.sh"
set_machine "$arch"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The packages' own scripts are run, if need be by user-mode emulation. Where systemd runs, it has arranged for that.
if ! arch-test "$arch" >/dev/null; then
    cat "/usr/lib/binfmt.d/qemu-$machine.conf" >/proc/sys/fs/binfmt_misc/register || true
    arch-test "$arch" >/dev/null || {
        echo "cannot run programs for $arch: the kernel does not know qemu-$machine-static as their interpreter" \
            "(load binfmt_misc, mount it at /proc/sys/fs/binfmt_misc and reinstall qemu-user-static)" >&2
        exit 1
    }
fi

# What the package depends on or suggests; the rest looks at it.
packages=systemd-sysv,udev,dbus,kmod,libssl3,libstdc++6,mosquitto,mosquitto-clients,v4l-utils,busybox-static,procps
mmdebstrap --quiet --mode=root --variant=minbase --architectures="$arch" --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    bookworm "$root" \
    "deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main" \
    "deb [signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root/etc/machine-id"
# There is no network but the loopback's, and nobody logs in.
: >"$root/etc/apt/sources.list"
echo vm >"$root/etc/hostname"
echo '127.0.0.1 localhost vm' >"$root/etc/hosts"
echo '/dev/vda / ext4 rw,errors=remount-ro 0 1' >"$root/etc/fstab"
mkdir -p "$root/usr/lib/modules"
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    e2scrub_reap.service getty@tty1.service systemd-binfmt.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# A first boot would ask for what is missing.
echo uninitialized >"$root/etc/machine-id"
mkfs.ext4 -q -F -d "$root" -L root "$image" 1G
