# shellcheck shell=dash
# After the power cut: nothing is damaged, and it runs by itself. A reboot in good order.

follow
wait_for "power cut: running by itself" is_active
see_ready
see sh -c 'journalctl -k -o cat | grep -i "EXT4-fs.*recover"'
see ls -la /var/lib/emotiond
see cat /var/lib/emotiond/settings.json
check "power cut: settings are whole" sh -c "grep -qE '^\{.*\"dwell_s\":1\.[0-9]+.*\}\$' /var/lib/emotiond/settings.json && ! ls /var/lib/emotiond/*.damaged 2>/dev/null"
check "power cut: settings were taken" sh -c '! grep -q "settings are lost" /run/log/daemon'
kept=$(sed -n 's/.*"dwell_s":\([0-9.]*\).*/\1/p' /var/lib/emotiond/settings.json)
wait_for "power cut: settings are in force" published settings ".*\"dwell_s\":$kept"
see_topic settings
wait_for "power cut: online" published availability online
mosquitto_pub -q 1 -t emotiond/vm/enabled/set -m OFF
wait_for "switched off" published enabled OFF
wait_for "switched off: kept" grep -q '"enabled":false' /var/lib/emotiond/settings.json
echo "# reboot"
finish
trap - EXIT
systemctl reboot
sleep 600
