# shellcheck shell=dash
# After the reboot: running, and switched off as before. Upgrade, then purge without a trace.

follow
wait_for "reboot: running by itself" is_active
see_ready
wait_for "reboot: still switched off" published enabled OFF
see_log 5

echo "# upgrade"
pid=$(property MainPID)
sum=$(md5sum </etc/emotiond/emotiond.toml)
mark
start=$(moment)
apt-get install -y -q --no-install-recommends ./newer.deb >/run/log/apt 2>&1 || fail "upgraded"
took "upgrade" "$start"
wait_for "upgraded: running as another process" is_restarted "$pid"
see dpkg-query -W emotiond
check "upgraded: the changed configuration is kept" [ "$(md5sum </etc/emotiond/emotiond.toml)" = "$sum" ]
check "upgraded: the state is kept" grep -q '"enabled":false' /var/lib/emotiond/settings.json
check "upgraded: enabled" systemctl is-enabled --quiet emotiond
see_log 3

echo "# remove, then purge"
apt-get remove -y -q emotiond >/run/log/apt 2>&1 || fail "removed"
check "removed: not running" sh -c '! pgrep -x emotiond'
check "removed: configuration and state are kept" test -f /etc/emotiond/emotiond.toml -a -f /var/lib/emotiond/settings.json
apt-get purge -y -q emotiond >/run/log/apt 2>&1 || fail "purged"
see find / -xdev -iname '*emotiond*' -not -path '/proc/*' -not -path '/run/*'
check "purged: no file" [ -z "$(find / -xdev -iname '*emotiond*' -not -path '/proc/*' -not -path '/run/*')" ]
check "purged: no user" sh -c '! getent passwd emotiond && ! getent group emotiond'
check "purged: no unit" sh -c '! systemctl cat emotiond 2>/dev/null'
check "purged: nothing failed" [ -z "$(systemctl --failed --plain --no-legend)" ]
finish
trap - EXIT
systemctl poweroff
sleep 600
