# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# Beside Debian's nats-server, in its place, and back, each on a machine of its own. Meanwhile a
# stranger publishes without credentials every 20 ms: he must never come in.

port=4222
secret=nats://a:b@127.0.0.1:$port
password='authorization { user: a, password: b }'

# theirs NAME [CONFIGURATION]: a machine on which nats-server serves with a password; the stranger begins.
theirs() {
	new_box "$1" --with nats-server || return
	scripts/box push "$box" "$(deb new)" /var/tmp/nats-broker.deb
	scripts/box push "$box" "$new_dir/nats-broker-compat_$new-1_all.deb" /var/tmp/compat.deb
	inside_sh "chmod 644 /var/tmp/*.deb; install -d -o nats /srv/nats; echo 'max_payload: 2MB' >/etc/extra.conf; printf '%s\n' 'host: 127.0.0.1' 'port: $port' '$password' '${2:-}' >/etc/nats-server.conf; systemctl restart nats-server"
	eventually 10 inside probe once "$secret" || bad "$1: nats-server serves" "$(inside journalctl -n 20 --no-pager)"
	stranger_begins
}
stranger_begins() {
	scripts/box run "$box" probe stranger "127.0.0.1:$port,127.0.0.1:4333,[::1]:$port" >"$work/stranger.json" 2>&1 &
	stranger_pid=$!
	eventually 10 inside pgrep -f 'probe stranger'
}
stranger_ends() { # NAME
	inside pkill -TERM -f 'probe stranger'
	wait "$stranger_pid"
	matches "$1: a stranger tried" '"attempts":[1-9]' "$(cat "$work/stranger.json")"
	matches "$1: and was never let in" '"let_in":0' "$(cat "$work/stranger.json")"
	scripts/box down "$box"
}
apt_get() { inside apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"; }
both() { apt_get install /var/tmp/nats-broker.deb /var/tmp/compat.deb; }
their_pid() { inside systemctl show -P MainPID nats-server.service; }
serves() { inside probe once "$secret"; }
is() { inside systemctl "is-$1" "$2"; }

# untouched NAME: nats-server goes on as the same process, and nothing of ours runs.
untouched() {
	same "$1: nats-server goes on, the same process" "$pid" "$(their_pid)"
	check "$1: it serves" serves
	same "$1: and is enabled" enabled "$(is enabled nats-server.service)"
	refuse "$1: nats-broker does not run" active
	check "$1: nats-server is installed" inside_sh 'dpkg -s nats-server | grep -q "^Status: install ok installed" && /usr/sbin/nats-server --version | grep -q v2.9'
	refuse "$1: no name of it is ours" inside test -e /etc/systemd/system/nats-server.service
	check "$1: nor is our configuration changed" inside cmp /etc/nats/nats.conf /usr/share/nats-broker/nats.conf
}

refused() {
	local pid seen
	theirs refused 'gateway { name: here, listen: "127.0.0.1:7222" }'
	pid=$(their_pid)
	seen=$(both 2>&1) && bad 'a configuration that is refused fails the installation' "$seen" || ok 'a configuration that is refused fails the installation'
	matches 'and says why' 'not supported yet by nats-broker' "$seen"
	untouched 'refused'
	check 'the two packages can be purged' apt_get purge nats-broker nats-broker-compat
	same 'purged: nats-server goes on' "$pid" "$(their_pid)"
	stranger_ends 'refused'

	theirs sandbox 'log_file: /srv/nats/nats.log'
	pid=$(their_pid)
	seen=$(both 2>&1) && bad 'a log file outside the sandbox fails the installation' "$seen" || ok 'a log file outside the sandbox fails the installation'
	matches 'and is named' 'log_file: /srv/nats/nats.log cannot be written' "$seen"
	untouched 'sandbox'
	stranger_ends 'sandbox'

	# Streams stay with the server that can read them, wherever they are.
	local where
	for where in /srv/nats /tmp/nats; do
		theirs "streams-${where//\//}" "jetstream { store_dir: \"$where\" }"
		pid=$(their_pid)
		inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/4222; body="{\"name\":\"S\",\"subjects\":[\"s\"],\"storage\":\"file\",\"num_replicas\":1,\"retention\":\"limits\"}"
			printf "CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"b\"}\r\nSUB reply 1\r\nPUB \$JS.API.STREAM.CREATE.S reply %s\r\n%s\r\nPUB s 2\r\nhi\r\nPING\r\n" ${#body} "$body" >&3; timeout 3 grep -m1 -q stream_create <&3' ||
			bad 'nats-server makes a stream' "$(inside journalctl -n 10 --no-pager)"
		seen=$(both 2>&1) && bad "a store of nats-server in $where is not left behind" "$seen" || ok "a store of nats-server in $where is not left behind"
		matches 'and is named' 'store of nats-server|keeps streams in its own /tmp' "$seen"
		untouched "streams in $where"
		stranger_ends "streams in $where"
	done

	# What only the start itself shows: nats-server is put back.
	theirs start
	inside_sh 'mkdir -p /etc/systemd/system/nats-broker.service.d; printf "[Service]\nExecStartPre=/bin/false\n" >/etc/systemd/system/nats-broker.service.d/x.conf'
	seen=$(both 2>&1) && bad 'a start that fails fails the installation' "$seen" || ok 'a start that fails fails the installation'
	pid=$(their_pid)
	eventually 10 serves
	untouched 'start'
	inside rm /etc/systemd/system/nats-broker.service.d/x.conf
	check 'the installation can be finished when that is mended' apt_get -f install
	check 'then nats-broker serves' eventually 5 inside_sh "systemctl is-active -q nats-broker && probe once $secret"
	stranger_ends 'start'
}

faults_ready() {
	check 'take-over is unpacked' inside dpkg --unpack /var/tmp/compat.deb
	scripts/box push "$box" scripts/package-tests/fault /root/fault/fault
	inside_sh 'cd /root/fault && for each in cp mv mkdir ln rm sync systemctl; do ln -s fault $each; done'
}

# faulty MODE STEP [WORD]: take-over, with that fault. Sets $rc, and $reached: was there such a step?
faulty() {
	inside_sh "rm -f /run/fault.n; [ -z '${3:-}' ] || echo 0 >/run/fault.n; echo $1 $2 >/run/fault; PATH=/root/fault:\$PATH /usr/lib/nats-broker/take-over ${3:-}" >"$work/faulty" 2>&1
	rc=$?
	reached=$(inside_sh "[ \$(cat /run/fault.n) -ge $2 ] && echo yes; rm -f /run/fault")
}
their_place() { [ "$(is enabled nats-server.service)" = enabled ] && serves && ! active && inside cmp /etc/nats/nats.conf /usr/share/nats-broker/nats.conf; }
our_place() { serves && active && is active nats-server.service && [ "$(is enabled nats-broker.service)" = enabled ]; }
clean() { [ "$(inside_sh 'echo $(ls -A /etc/nats)')" = 'nats.conf nats.conf.d' ]; } # no journal, no copy with passwords
anew() { # for the next fault: the package's configuration
	inside_sh '/usr/lib/nats-broker/take-over back >/dev/null && install -m 640 -g nats /usr/share/nats-broker/nats.conf /etc/nats/nats.conf'
	eventually 10 their_place || bad 'nats-server is back for the next step' "$(inside systemctl status nats-server nats-broker)"
}

# interrupted: whatever goes wrong at whatever step, one of the two serves in the end, whole.
interrupted() {
	local mode step seen faults=0 t0=$SECONDS
	theirs interrupted
	check 'nats-broker is installed' apt_get install /var/tmp/nats-broker.deb
	faults_ready
	for mode in once disk kill back; do
		for ((step = 1; ; step++)); do
			case $mode in disk) [ $((step % 4)) = 1 ] ;; back) [ $((step % 2)) = 1 ] ;; esac || continue # time
			faulty "${mode/back/kill}" $step
			[ "$reached" = yes ] || break
			faults=$((faults + 1))
			seen=$(cat "$work/faulty")
			case $mode in
			once)
				if [ "$rc" = 0 ]; then
					eventually 10 our_place && { clean || grep -q '^rm: fails' <<<"$seen"; } || bad "a failure at step $step that does not matter: nats-broker serves" "$seen"
				else
					eventually 10 their_place && clean || bad "a failure at step $step: nats-server serves again" "$seen"
					grep -q 'nothing has been changed\|nats-server serves again' <<<"$seen" || bad "a failure at step $step: is said" "$seen"
				fi ;;
			disk) # some of ours may be left, and is taken away by the next run
				eventually 10 serves || bad "no file can be changed from step $step on: somebody serves" "$seen" ;;
			kill)
				seen=$(inside /usr/lib/nats-broker/take-over 2>&1) && eventually 10 our_place && clean ||
					bad "killed at step $step, and run again: nats-broker serves" "$seen" ;;
			back)
				seen=$(inside /usr/lib/nats-broker/take-over back 2>&1) && eventually 10 serves && clean && ! active ||
					bad "killed at step $step, and taken away: nats-server serves" "$seen" ;;
			esac
			anew
		done
		anew
	done
	[ $faults -gt 40 ] && ok "take-over is cut off at $faults places" || bad 'take-over is cut off everywhere' "$faults places: $(cat "$work/faulty")"
	# The way back as well.
	for ((step = 1; ; step += 2)); do
		inside /usr/lib/nats-broker/take-over >/dev/null 2>&1
		eventually 10 our_place || bad 'nats-broker serves for the next step' "$(inside systemctl status nats-server nats-broker)"
		faulty kill $step back
		[ "$reached" = yes ] || break
		seen=$(inside /usr/lib/nats-broker/take-over back 2>&1) && eventually 10 serves && clean && ! active ||
			bad "the way back, killed at step $step, and run again: nats-server serves" "$seen"
		anew
	done
	[ $step -gt 8 ] && ok "the way back is cut off at $((step / 2)) places" || bad 'the way back is cut off at every second step' "it has $step"
	anew
	echo "measured: interrupted take-overs took $((SECONDS - t0)) s"
	stranger_ends 'interrupted'
}

taken() {
	local seen pid
	theirs taken $'http: "127.0.0.1:8222"\ninclude extra.conf'
	inside_sh 'mkdir -p /etc/systemd/system/nats-server.service.d; printf "[Service]\nLimitNOFILE=12345\n" >/etc/systemd/system/nats-server.service.d/files.conf; systemctl daemon-reload'
	seen=$(both 2>&1) && ok 'nats-broker takes the place of nats-server' || bad 'nats-broker takes the place of nats-server' "$seen"
	matches 'drop-ins that apply are named' 'files.conf applies to nats-broker as well' "$seen"
	check 'it serves' serves
	check 'it is nats-broker' active
	check 'also under the old name' is active nats-server.service
	same 'and is enabled, as nats-server was' enabled "$(is enabled nats-broker.service)"
	matches 'the program answers to its old name' '^nats-server: ' "$(inside /usr/sbin/nats-server --version)"
	matches 'status, check and show speak of one file' 'configuration: +/etc/nats/nats.conf' "$(inside nats-broker status)"
	matches 'config check' '/etc/nats/nats.conf is valid' "$(inside nats-broker config check 2>&1)"
	matches 'config show' "port: $port" "$(inside nats-broker config show 2>&1)"
	matches 'included files are found from there' 'max_payload: 2' "$(inside nats-broker config show 2>&1)"
	matches 'the configuration says where it comes from' 'Taken over from /etc/nats-server.conf' "$(inside head -1 /etc/nats/nats.conf)"
	same 'it is for root and the group nats' '640 root nats' "$(inside_sh "stat -c '%a %U %G' /etc/nats/nats.conf")"
	same 'systemd finds no fault in that' '' "$(inside_sh 'journalctl -b -p warning --no-pager _PID=1 -o cat | grep -i -e ordering -e cycle -e alias -e dependency')"

	check 'the way back is one command' apt_get remove nats-broker-compat
	check 'nats-server serves again' eventually 10 serves
	refuse 'nats-broker does not' active
	same 'nats-server is enabled again' enabled "$(is enabled nats-server.service)"
	matches 'with its own program' 'v2.9' "$(inside /usr/sbin/nats-server --version)"
	# Not by the power-off: systemd stops all processes on its way, and who waits for one outside would stop as well.
	inside pkill -TERM -f 'probe stranger'
	wait "$stranger_pid"
	check 'power off' scripts/box stop "$box"
	matches 'taken: until then the stranger was never let in' '"let_in":0' "$(cat "$work/stranger.json")"
	check 'boot' scripts/box start "$box"
	stranger_begins
	check 'nats-server serves after a boot' eventually 10 serves
	refuse 'nats-broker does not' active

	check 'and in its place again' apt_get install /var/tmp/compat.deb
	check 'it is nats-broker that serves' eventually 5 inside_sh "systemctl is-active -q nats-broker && probe once $secret"
	# Whoever takes nats-server away takes nothing from the broker.
	check 'nats-server can be purged' inside dpkg --purge nats-server
	refuse 'with its configuration' inside test -e /etc/nats-server.conf
	check 'nats-broker serves on' eventually 10 serves
	check 'nats-broker-compat can be purged' apt_get purge nats-broker-compat
	refuse 'the old name is gone' inside test -e /usr/bin/nats-server
	refuse 'and that of the service' inside systemctl cat nats-server.service
	check 'nats-broker serves on with the password' serves
	check 'after a restart as well' inside systemctl restart nats-broker.service
	check 'it serves' serves
	stranger_ends 'taken'

	# Without any nats-server there are names to take and nothing else; the broker goes on under both.
	new_box plain || return
	scripts/box push "$box" "$(deb new)" /var/tmp/nats-broker.deb
	scripts/box push "$box" "$new_dir/nats-broker-compat_$new-1_all.deb" /var/tmp/compat.deb
	inside_sh 'chmod 644 /var/tmp/*.deb'
	# A broker that served before a take-over that fails serves after it, as it did.
	check 'nats-broker alone' apt_get install /var/tmp/nats-broker.deb
	faults_ready
	inside_sh "printf '%s\n' 'host: 127.0.0.1' 'port: $port' '$password' >/etc/nats-server.conf"
	faulty start 1
	same 'a take-over that cannot start it ends' 1 "$rc"
	matches 'and says what has become of it' 'what had been changed is changed back' "$(cat "$work/faulty")"
	check 'it serves as before' eventually 5 probe
	same 'and is enabled' enabled "$(is enabled nats-broker.service)"
	check 'with the configuration that it had' inside cmp /etc/nats/nats.conf /usr/share/nats-broker/nats.conf
	check 'and no other' clean
	inside rm /etc/nats-server.conf
	check 'on a machine without nats-server' both
	check 'the broker is known to run' active
	check 'under the old name, too' is active nats-server.service
	check 'it serves' probe
	check 'compat is removed' apt_get remove nats-broker-compat
	check 'it runs on' active
	check 'nats-broker is removed' apt_get remove nats-broker
	refuse 'and gone' inside pgrep -x nats-broker
	scripts/box down "$box"

	# Removed before: its configuration is left.
	theirs removed
	check 'nats-server is removed' apt_get remove nats-server
	check 'nats-broker with its configuration from the first moment' both
	check 'it serves' serves
	stranger_ends 'removed'
}

beside() {
	local seen pid
	theirs beside
	pid=$(their_pid)
	seen=$(apt_get install /var/tmp/nats-broker.deb 2>&1) && ok 'nats-broker is installed beside nats-server' || bad 'nats-broker is installed beside nats-server' "$seen"
	matches 'and says that it waits to be told' 'neither enabled nor started' "$seen"
	untouched 'beside'
	same 'nor is it enabled' disabled "$(is enabled nats-broker.service)"
	matches 'at a boot nats-server would come first' '(^| )nats-server.service( |$)' "$(inside systemctl show -P After nats-broker.service)"
	refuse 'started by hand it finds the port taken' inside systemctl start nats-broker.service
	matches 'says who has it' 'Another NATS server, of version 2.9.10, has 127.0.0.1:4222' "$(inside journalctl -u nats-broker --no-pager -o cat)"
	same 'and does not lie in wait' failed "$(is active nats-broker.service)"
	check 'nats-server restarts' inside systemctl restart nats-server
	check 'and serves' eventually 10 serves
	same 'an upgrade leaves that so' disabled "$(apt_get install --reinstall /var/tmp/nats-broker.deb >/dev/null 2>&1; is enabled nats-broker.service)"
	# With a port of its own it may stand beside.
	check 'with another port both serve' inside_sh "sed -i 's/127.0.0.1:4222/127.0.0.1:4444/' /etc/nats/nats.conf; systemctl reset-failed nats-broker; systemctl enable --now nats-broker && probe once nats://127.0.0.1:4444 && probe once $secret"
	seen=$(apt_get install /var/tmp/compat.deb 2>&1) && bad 'an edited configuration is not replaced' "$seen" || ok 'an edited configuration is not replaced'
	matches 'and is named' '/etc/nats/nats.conf has been edited' "$seen"
	check 'both serve on' inside_sh "probe once nats://127.0.0.1:4444 && probe once $secret"
	# Installed again after a removal is not upgraded: who stood in its place meanwhile keeps it, even stopped.
	check 'nats-broker is removed' apt_get remove nats-broker nats-broker-compat
	inside_sh "sed -i 's/127.0.0.1:4444/127.0.0.1:4222/' /etc/nats/nats.conf; systemctl stop nats-server"
	seen=$(apt_get install /var/tmp/nats-broker.deb 2>&1) && ok 'and installed again' || bad 'and installed again' "$seen"
	matches 'it waits again to be told' 'neither enabled nor started' "$seen"
	refuse 'it does not take the port of one that is stopped' active
	same 'nor is it enabled' disabled "$(is enabled nats-broker.service)"
	check 'nats-server starts' inside systemctl start nats-server
	check 'and serves' eventually 10 serves
	same 'the next upgrade is one' 0 "$(inside_sh 'ls /var/lib/nats-broker/removed 2>/dev/null | wc -l')"
	stranger_ends 'beside'
}

owned() {
	local seen pid
	theirs owned
	inside_sh 'sed "s/NATS Server/our own/" /lib/systemd/system/nats-server.service >/etc/systemd/system/nats-server.service; systemctl daemon-reload; systemctl restart nats-server'
	eventually 10 serves
	pid=$(their_pid)
	seen=$(both 2>&1) && bad 'a unit of the administrator is not replaced' "$seen" || ok 'a unit of the administrator is not replaced'
	matches 'and is named' '/etc/systemd/system/nats-server.service is a unit of your own' "$seen"
	same 'it goes on' "$pid" "$(their_pid)"
	inside_sh 'rm /etc/systemd/system/nats-server.service; systemctl daemon-reload; echo "no_auth_user: a" >/etc/nats/nats.conf.d/10-open.conf'
	seen=$(apt_get -f install 2>&1) && bad 'nor is a drop-in put over its configuration' "$seen" || ok 'nor is a drop-in put over its configuration'
	matches 'and is named' 'nats.conf.d/10-open.conf would be applied over' "$seen"
	same 'it goes on' "$pid" "$(their_pid)"
	inside_sh 'rm /etc/nats/nats.conf.d/10-open.conf; mkdir -p /etc/systemd/system/nats-server.service.d
		printf "[Service]\nExecStart=\nExecStart=/usr/sbin/nats-server -c /etc/nats-server.conf -D\n" >/etc/systemd/system/nats-server.service.d/x.conf; systemctl daemon-reload'
	seen=$(apt_get -f install 2>&1) && bad 'a drop-in with another program is not obeyed' "$seen" || ok 'a drop-in with another program is not obeyed'
	matches 'and is named' 'nats-server.service.d/x.conf would run another program' "$seen"
	same 'it goes on' "$pid" "$(their_pid)"
	stranger_ends 'owned'

	# The names that we would have without nats-server.
	new_box names || return
	scripts/box push "$box" "$(deb new)" /var/tmp/nats-broker.deb
	inside_sh 'chmod 644 /var/tmp/*.deb; printf "[Service]\nExecStart=/bin/sleep 1000\n" >/etc/systemd/system/nats.service; systemctl daemon-reload; systemctl start nats'
	seen=$(apt_get install /var/tmp/nats-broker.deb 2>&1) && ok 'beside a nats.service of the administrator' || bad 'beside a nats.service of the administrator' "$seen"
	matches 'it is named' '/etc/systemd/system/nats.service is another unit and stays' "$seen"
	matches 'and taken for a nats-server' 'neither enabled nor started' "$seen"
	check 'it goes on' is active nats.service
	apt_get purge nats-broker >/dev/null 2>&1
	inside_sh 'systemctl stop nats; rm /etc/systemd/system/nats.service; mkdir -p /etc/systemd/system/nats.service.d
		printf "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\n" >/etc/systemd/system/nats.service.d/x.conf; systemctl daemon-reload'
	seen=$(apt_get install /var/tmp/nats-broker.deb 2>&1) && ok 'a drop-in for nats.service with another program' || bad 'a drop-in for nats.service with another program' "$seen"
	matches 'it is named' 'nats.service.d/x.conf would run another program' "$seen"
	check 'and not obeyed' probe
	# A port that some other program has: apt's output says so, and the broker does not lie in wait.
	apt_get purge nats-broker >/dev/null 2>&1
	inside_sh 'rm -r /etc/systemd/system/nats.service.d; systemctl daemon-reload; systemd-run --quiet --unit other systemd-socket-activate -l 127.0.0.1:4222 /bin/cat'
	eventually 5 inside_sh 'ss -Hltn | grep -q :4222'
	seen=$(apt_get install /var/tmp/nats-broker.deb 2>&1) && ok 'where another program has the port' || bad 'where another program has the port' "$seen"
	matches 'apt shows why it does not run' 'nats-broker.service does not run: .*address already in use' "$seen"
	inside systemctl stop other
	same 'and it does not take the port later' failed "$(sleep 2; is active nats-broker.service)"
	scripts/box down "$box"

	theirs disabled
	inside systemctl disable --now nats-server.service
	check 'where nats-server is disabled' both
	same 'nats-broker is, too' disabled "$(inside_sh 'systemctl is-enabled nats-broker.service | sed s/indirect/disabled/')"
	refuse 'and does not run' active
	stranger_ends 'disabled'

	theirs policy
	inside_sh 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d'
	pid=$(their_pid)
	seen=$(both 2>&1) && bad 'policy-rc.d lets nothing take the place' "$seen" || ok 'policy-rc.d lets nothing take the place'
	untouched 'policy'
	inside systemctl stop nats-server.service
	seen=$(apt_get -f install 2>&1) && ok 'where nothing runs it gets the names' || bad 'where nothing runs it gets the names' "$seen"
	matches 'and says that it was not started' 'nats-broker is not started' "$seen"
	refuse 'which is so' active
	stranger_ends 'policy'
}

refused
interrupted
taken
beside
owned
