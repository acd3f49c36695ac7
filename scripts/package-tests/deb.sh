# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# The life of the deb on one machine: apt repository, install, use, mistakes, upgrade under load,
# downgrade, removal, purge, reboot; instances.

conf=/etc/nats/nats.conf

apt_in() { # apt-get with the repository under test alone: the box has no network
	inside apt-get -q -y -o Dpkg::Use-Pty=0 -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/nats-broker.list \
		-o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 -o Dpkg::Options::=--force-confold "$@"
}
repository() { # new|old: makes it the one that apt sees
	# apt would not go back to an older state of a repository.
	inside_sh 'rm -rf /srv/apt /var/lib/apt/lists/_srv_apt*'
	scripts/box push "$box" "$packages/$1/apt" /srv/apt
	apt_in update
}
files() { # everything on the machine but what other programs write for themselves
	inside_sh 'find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
		-o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /srv -o -path /root \
		-o -path /etc/.pwd.lock -o -path /var/spool \) -prune -o -print | grep -v -e "^/etc/\(passwd\|group\|shadow\|gshadow\)-\?$" | sort'
}

installed() {
	local main dir
	files >"$work/files.before"
	repository new >"$work/apt.log" 2>&1 || bad 'apt-get update from the signed repository' "$(cat "$work/apt.log")"
	check 'apt-get install from the signed repository' apt_in install nats-broker
	check 'active (running)' active
	refuse 'and lets nobody of other machines in' inside_sh 'journalctl -u nats-broker -o cat | grep "may come in without credentials"'
	echo "measured: start took $(inside_sh 'a=$(systemctl show -P InactiveExitTimestampMonotonic nats-broker); b=$(systemctl show -P ActiveEnterTimestampMonotonic nats-broker); echo $(((b - a) / 1000)) ms')"
	check 'active within 2 s of its start' inside_sh 'a=$(systemctl show -P InactiveExitTimestampMonotonic nats-broker)
		b=$(systemctl show -P ActiveEnterTimestampMonotonic nats-broker); [ $((b - a)) -lt 2000000 ]'
	same 'enabled' enabled "$(inside systemctl is-enabled nats-broker.service)"
	main=$(inside systemctl show -P MainPID nats-broker.service)
	same 'runs as nats, not root' nats "$(inside_sh "stat -c %U /proc/$main")"
	for dir in /run /etc /usr /var/lib /var/log; do
		matches "$dir is read-only in its sandbox" 'Read-only file system' "$(inside nsenter -t "$main" -m touch "$dir/x" 2>&1)"
	done
	check 'but for what is its own' inside nsenter -t "$main" -m sh -c 'for d in /run /var/lib /var/log; do touch $d/nats-broker/x && rm $d/nats-broker/x || exit 1; done'
	same 'listens for clients of this machine alone' '127.0.0.1:4222' "$(inside_sh "ss -Hltn | awk '{ print \$4 }' | grep ':4222$'")"
	matches 'monitoring is on the loopback alone' '127\.0\.0\.1:8222 ' "$(inside ss -Hltn)"
	same 'the configuration is for root and the group nats' '640 root nats' "$(inside_sh "stat -c '%a %U %G' $conf")"
	check 'a client: publish, subscribe, queue group, request' probe
	check 'the units are without fault' inside systemd-analyze --man=no verify nats-broker.service nats-broker.socket nats-broker@x.service
	echo "measured: $(inside systemd-analyze security nats-broker.service --no-pager | tail -1)"
	check 'nats-broker status: all is well' inside nats-broker status
	check 'nats-broker health' inside nats-broker health
	matches 'the journal knows our messages' 'nats-broker' "$(inside journalctl --list-catalog)"
	check 'the installed configuration is valid' inside nats-broker -t -c $conf
	# The same again must change nothing.
	check 'postinst can run again' inside /var/lib/dpkg/info/nats-broker.postinst configure "$new-1"
	check 'and the broker runs' active
}

edited() {
	local t0
	t0=$(date +%s%N)
	inside_sh "echo 'max_payload: 2MB' >>$conf"
	eventually 10 inside_sh 'journalctl -u nats-broker -o cat | grep -q "max_payload"' &&
		ok 'an edit is live, and in the journal' || bad 'an edit is live, and in the journal' "$(inside journalctl -u nats-broker -n 20)"
	echo "measured: edit to journal in $((($(date +%s%N) - t0) / 1000000)) ms"
	matches 'the edit is in effect' '"max_payload": *2097152' "$(varz)"
	same 'by a reload, not a restart' 0 "$(inside systemctl show -P NRestarts nats-broker.service)"
}
varz() { inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/8222; printf "GET /varz HTTP/1.0\r\n\r\n" >&3; cat <&3'; }

broken() {
	inside_sh "cp $conf /root/good.conf; echo '  monitr_port: 1' >>$conf"
	local line
	line=$(inside_sh "wc -l <$conf")
	eventually 10 inside_sh "systemctl show -P StatusText nats-broker | grep -q ':$line:3'" &&
		ok 'a mistake is in the status line, with line and column' ||
		bad 'a mistake is in the status line, with line and column' "$(status_text)"
	matches 'systemctl status shows it' "nats.conf:$line:3" "$(inside systemctl status nats-broker.service)"
	matches 'the journal shows it' "nats.conf:$line:3.*unknown field" "$(inside journalctl -u nats-broker -o cat)"
	check 'still serving' probe
	refuse 'systemctl reload fails' inside systemctl reload nats-broker.service
	refuse 'nats-broker status fails' inside nats-broker status
	refuse 'nats-broker config check fails' inside nats-broker config check
	check 'still serving after the reload' probe
	check 'a restart with the mistake in place' inside systemctl restart nats-broker.service
	check 'serves with the last good configuration' probe
	matches 'and says so' 'last good' "$(status_text)"
	inside_sh "cat /root/good.conf >$conf"
	eventually 10 inside nats-broker status && ok 'corrected: all is well by itself' || bad 'corrected: all is well by itself' "$(inside nats-broker status)"
}

upgraded() {
	# Purged and installed anew in the older version, then edited.
	apt_in purge nats-broker >/dev/null 2>&1
	repository old >/dev/null 2>&1
	check 'the older version is installed' apt_in install nats-broker
	check 'the older version runs' active
	inside_sh "echo 'max_connections: 5000' >>$conf"
	eventually 10 inside_sh 'journalctl -u nats-broker -o cat | grep -q max_connections' || bad 'the edit is live' ''
	repository new >/dev/null 2>&1
	load_start
	check 'upgrade under load' apt_in install nats-broker
	load_end
	same 'the new version is installed' "$new-1" "$(inside dpkg-query -W -f '${Version}' nats-broker)"
	same 'the new version runs' "$(inside_sh 'stat -Lc %i /usr/bin/nats-broker')" \
		"$(inside_sh 'stat -Lc %i /proc/$(systemctl show -P MainPID nats-broker)/exe')"
	matches 'the edited configuration is kept' '^max_connections: 5000' "$(inside cat $conf)"
	check 'the new one lies beside it' inside test -f $conf.dpkg-dist
	same 'owner and mode are kept' '640 root nats' "$(inside_sh "stat -c '%a %U %G' $conf")"
	load_judge 'upgrade'
	same 'upgrade: no connection was refused' 0 "$(load_field refused)"
	scripts/box push "$box" "$(deb old)" /var/tmp/old.deb
	carry_start 200,10000
	check 'downgrade' apt_in install --allow-downgrades /var/tmp/old.deb
	carry_end
	carry_judge 'downgrade, 200 clients' 1000
	check 'the older version serves again' probe
	inside_sh "printf 'listen: 127.0.0.1:4300\n' >/etc/nats/east.conf"
	check 'an instance runs' inside systemctl enable --now nats-broker@east.service
	matches 'its configuration is checked by its name' '/etc/nats/east.conf is valid' "$(inside nats-broker config check --instance east 2>&1)"
	# The profile's switch is no file that an upgrade would ask about.
	check 'the profile complains at first' inside test -L /etc/apparmor.d/force-complain/nats-broker
	inside rm /etc/apparmor.d/force-complain/nats-broker
	carry_start 200,10000
	check 'upgrade again' apt_in install nats-broker
	carry_end
	carry_judge 'upgrade, 200 clients' 1000
	same 'the instance runs the new version' "$(inside_sh 'stat -Lc %i /usr/bin/nats-broker')" \
		"$(inside_sh 'stat -Lc %i /proc/$(systemctl show -P MainPID nats-broker@east)/exe')"
	check 'and serves' inside probe once nats://127.0.0.1:4300
	refuse 'the profile enforces as it was told' inside test -e /etc/apparmor.d/force-complain/nats-broker
}

sockets() {
	check 'the socket unit takes over the port' inside_sh 'systemctl stop nats-broker && systemctl enable --now nats-broker.socket && systemctl start nats-broker'
	load_start
	check 'upgrade with socket activation, under load' apt_in install nats-broker
	load_end
	load_judge 'socket activation'
	same 'no connection was refused' 0 "$(load_field refused)"
	check 'and back' inside_sh 'systemctl stop nats-broker.service nats-broker.socket; systemctl disable nats-broker.socket; systemctl start nats-broker'
}

stream() { # PORT: makes a stream in files there
	inside bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"; body="{\"name\":\"S\",\"subjects\":[\"s\"],\"storage\":\"file\",\"num_replicas\":1,\"retention\":\"limits\"}"
		printf "CONNECT {\"verbose\":false}\r\nSUB reply 1\r\nPUB \$JS.API.STREAM.CREATE.S reply %s\r\n%s\r\nPING\r\n" ${#body} "$body" >&3
		timeout 5 grep -m1 -q did_create <&3' "$1"
}

removed() {
	local seen
	check 'the timer of an instance that has ended' inside systemctl start nats-broker-scrub@north.timer
	check 'remove' apt_in remove nats-broker
	refuse 'the broker is gone' inside pgrep -x nats-broker
	refuse 'no unit runs on' inside_sh 'systemctl list-units --plain --no-legend "nats-broker*" | grep .'
	check 'the configuration stays' inside test -f $conf
	check 'what an instance has stays' inside test -d /var/lib/nats-broker-east
	check 'as what somebody else has' inside mkdir /var/lib/nats-broker-of-somebody
	check 'no unit is left over' inside_sh '! systemctl cat nats-broker.service'
	check 'install again' apt_in install nats-broker
	matches 'with the old configuration' '^max_connections: 5000' "$(inside cat $conf)"
	check 'it serves' probe
	# Streams are nobody's to delete but their owner's: one instance has a stream, one a storage and none.
	inside_sh 'echo "jetstream: true" >>/etc/nats/east.conf; printf "listen: 127.0.0.1:4301\njetstream: true\n" >/etc/nats/west.conf'
	check 'two instances with JetStream' inside_sh 'systemctl start nats-broker@east && systemctl enable --now nats-broker@west'
	check 'one has no stream' inside test -d /var/lib/nats-broker-east/nats-broker/streams
	check 'one gets one' stream 4301
	seen=$(apt_in purge nats-broker 2>&1) && ok 'purge' || bad 'purge' "$seen"
	refuse 'an instance is gone as well' inside_sh 'ls -d /var/lib/nats-broker-east /var/log/nats-broker-east /etc/systemd/system/multi-user.target.wants/nats-broker@east.service'
	check 'but for a storage that holds a stream' inside_sh 'find /var/lib/nats-broker-west/nats-broker/streams -type f | grep .'
	matches 'which is named' 'nats-broker: /var/lib/nats-broker-west holds streams, and stays' "$seen"
	same 'no other is' '' "$(grep 'holds streams' <<<"$seen" | grep -v -e -west)"
	same 'and is all that stays' /var/lib/nats-broker-west/nats-broker "$(inside_sh 'find /var/lib/nats-broker* -mindepth 1 -maxdepth 1; ls -d /var/log/nats-broker-west 2>/dev/null')"
	inside rm -r /var/lib/nats-broker-west
	check 'its configuration is the administrator'"'"'s' inside rm /etc/nats/east.conf /etc/nats/west.conf
	check 'what is somebody else'"'"'s stays' inside rmdir /var/lib/nats-broker-of-somebody
	inside rmdir --ignore-fail-on-non-empty /etc/nats
	files >"$work/files.after"
	same 'purge leaves no file' '' "$(comm -13 "$work/files.before" "$work/files.after")"
	check 'nor in the journal catalogue' inside_sh '! journalctl --list-catalog | grep -q nats-broker'
}

policies() {
	inside_sh 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d'
	check 'install where policy-rc.d forbids to start' apt_in install nats-broker
	refuse 'it is not started' active
	inside_sh 'rm /usr/sbin/policy-rc.d; mkdir -p /var/lib/nats-broker; mount -t tmpfs none /var/lib/nats-broker; touch /var/lib/nats-broker/file'
	check 'purge where the state lies on a disk of its own' apt_in purge nats-broker
	same 'which is empty then' '' "$(inside ls -A /var/lib/nats-broker)"
	inside_sh 'umount /var/lib/nats-broker; rmdir /var/lib/nats-broker'
	inside_sh 'mkdir -p /etc/systemd/system-preset; echo "disable nats-broker.service" >/etc/systemd/system-preset/00-local.preset'
	check 'install where a preset disables it' apt_in install nats-broker
	same 'it is disabled' disabled "$(inside systemctl is-enabled nats-broker.service)"
	refuse 'it is not started then' active
	inside_sh 'rm -r /etc/systemd/system-preset'
	apt_in purge nats-broker >/dev/null 2>&1
	# An installation that is cut short: unpacked, the configuration step killed, then done again.
	scripts/box push "$box" "$(deb new)" /var/tmp/new.deb
	check 'unpacked only' inside dpkg --unpack /var/tmp/new.deb
	inside_sh 'timeout -s KILL 0.05 dpkg --configure nats-broker'
	check 'a half-done installation is finished' inside dpkg --configure -a
	check 'the broker runs after that' active
}

rebooted() {
	check 'power off' scripts/box stop "$box"
	check 'boot' scripts/box start "$box"
	check 'the broker is back after the reboot' eventually 5 active
	check 'it serves after the reboot' eventually 5 probe
}

new_box deb || return
inside_sh 'mkdir -p /etc/apt/keyrings; echo "deb [signed-by=/etc/apt/keyrings/nats-broker.asc] file:/srv/apt stable main" >/etc/apt/sources.list.d/nats-broker.list'
scripts/box push "$box" "$new_dir/nats-broker.asc" /etc/apt/keyrings/nats-broker.asc
installed
edited
broken
upgraded
sockets
removed
policies
rebooted
scripts/box down "$box"
