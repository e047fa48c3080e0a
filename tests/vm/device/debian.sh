#!/bin/sh
# Makes a disk image of Debian 12 with systemd and mosquitto, as a user's device has them before emotiond comes.
#
#   debian.sh ROOT-FOLDER IMAGE
set -eu
root=$1 image=$2
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# What the package depends on or suggests; the rest looks at it.
packages=systemd-sysv,udev,dbus,kmod,libssl3,libstdc++6,mosquitto,mosquitto-clients,v4l-utils,busybox,procps
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
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
