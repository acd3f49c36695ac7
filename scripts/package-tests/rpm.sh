# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# The rpm by real dnf transactions: a Debian machine with rpm and dnf, an empty rpm database, and
# our repository. What such a machine has of its own (a shell, systemd) an empty package provides.
# Not covered: SELinux, and the presets and macros of rpm distributions.

conf=/etc/nats/nats.conf

shim() { # an rpm that provides what the distribution would
	cat >"$work/shim.yaml" <<-'END'
		name: distribution-shim
		arch: all
		version: 1.0.0
		maintainer: nobody <nobody@localhost>
		description: what a Debian machine has
		provides: [systemd, /bin/sh]
		rpm: {arch: noarch}
	END
	CGO_ENABLED=0 go run "$(sed -n 's/^NFPM=//p' scripts/package)" package --packager rpm --config "$work/shim.yaml" \
		--target "$work/shim.rpm" >/dev/null
}
dnf_in() {
	# What dnf finds of a distribution it does not know is beside the point.
	inside dnf -y -q --releasever 1 --disablerepo '*' --repofrompath "nats-broker,file:///srv/yum" \
		--setopt nats-broker.gpgcheck=1 --setopt nats-broker.repo_gpgcheck=1 \
		--setopt nats-broker.gpgkey=file:///srv/nats-broker.asc --setopt keepcache=0 --setopt metadata_expire=0 "$@"
}
repository() { # new|old
	inside_sh 'rm -rf /srv/yum'
	scripts/box push "$box" "$packages/$1/yum" /srv/yum
	inside dnf -q clean all >/dev/null 2>&1
}
active() { inside systemctl is-active --quiet nats-broker.service; }

new_box rpm --with rpm,dnf || return
shim
scripts/box push "$box" "$work/shim.rpm" /root/shim.rpm
scripts/box push "$box" "$new_dir/nats-broker.asc" /srv/nats-broker.asc
check 'an rpm database' inside_sh 'rpm --initdb && rpm -i --nosignature /root/shim.rpm && rpm --import /srv/nats-broker.asc'

repository old
check 'dnf install from the signed repository' dnf_in install nats-broker
check 'signatures are right' inside_sh 'rpm -K /srv/yum/nats-broker-*.x86_64.rpm'
check 'active (running)' active
same 'enabled by its preset' enabled "$(inside systemctl is-enabled nats-broker.service)"
same 'runs as nats, not root' nats "$(inside_sh 'stat -c %U /proc/$(systemctl show -P MainPID nats-broker)')"
same 'the configuration is for root and the group nats' '640 root nats' "$(inside_sh "stat -c '%a %U %G' $conf")"
check 'a client: publish, subscribe, queue group, request' probe
same 'rpm -V finds nothing amiss' '' "$(inside rpm -V nats-broker)"
matches 'the manual pages are documentation' '/usr/share/man/man8/nats-broker.8.gz' "$(inside rpm -qd nats-broker)"

inside_sh "echo 'max_connections: 5000' >>$conf"
eventually 10 inside_sh 'journalctl -u nats-broker -o cat | grep -q max_connections' || bad 'the edit is live' ''
repository new
carry_start 200,10000
check 'dnf upgrade under load' dnf_in upgrade nats-broker
carry_end
matches 'the new version is installed' '^1\.0\.0~test2-1$' "$(inside rpm -q --qf '%{VERSION}-%{RELEASE}\n' nats-broker)"
same 'the new version runs' "$(inside_sh 'stat -Lc %i /usr/bin/nats-broker')" \
	"$(inside_sh 'stat -Lc %i /proc/$(systemctl show -P MainPID nats-broker)/exe')"
matches 'the edited configuration is kept' '^max_connections: 5000' "$(inside cat $conf)"
check 'the new one lies beside it' inside test -f $conf.rpmnew
carry_judge 'dnf upgrade, 200 clients' 1000
check 'still enabled' inside systemctl is-enabled nats-broker.service
check 'reinstall' dnf_in reinstall nats-broker
check 'it serves' probe

check 'the compat package' dnf_in install nats-broker-compat
matches 'the program answers to its old name' '^nats-server: ' "$(inside nats-server --version)"
check 'the broker is known to run' active
check 'compat is removed' dnf_in remove nats-broker-compat
check 'it runs on' active

check 'dnf remove' dnf_in remove nats-broker
refuse 'the broker is gone' inside pgrep -x nats-broker
check 'the edited configuration is saved' inside test -f $conf.rpmsave
refuse 'no unit is left over' inside systemctl cat nats-broker.service
refuse 'nor a link that enables it' test -e "$(scripts/box root "$box")/etc/systemd/system/multi-user.target.wants/nats-broker.service"

inside_sh 'mkdir -p /etc/systemd/system-preset; echo "disable nats-broker.service" >/etc/systemd/system-preset/00-local.preset'
check 'install where a preset disables it' dnf_in install nats-broker
same 'it is disabled' disabled "$(inside systemctl is-enabled nats-broker.service)"
refuse 'it is not started then' active

# nats-server's configuration is taken over, from the first moment, and outlives the compat package.
inside_sh 'rm -r /etc/systemd/system-preset; rm -f /etc/nats/nats.conf /etc/nats/nats.conf.rpm*
	printf "port: 4222\nauthorization { user: a, password: b }\n" >/etc/nats-server.conf'
dnf_in remove nats-broker >/dev/null
scripts/box run "$box" probe stranger 127.0.0.1:4222 >"$work/stranger.json" 2>&1 &
stranger_pid=$!
eventually 10 inside pgrep -f 'probe stranger'
check 'install beside the configuration of a nats-server' dnf_in install nats-broker
refuse 'it is not started' active
check 'compat takes the configuration over' dnf_in install nats-broker-compat
check 'the broker serves with it' eventually 5 inside probe once nats://a:b@127.0.0.1:4222
check 'also under the old name' inside systemctl is-active --quiet nats-server.service
check 'an instance runs' inside_sh 'echo "listen: 127.0.0.1:4300" >/etc/nats/east.conf; systemctl enable --now nats-broker@east'
check 'rpm -e of compat' inside rpm -e nats-broker-compat
refuse 'the old name is gone' inside systemctl cat nats-server.service
check 'the broker restarts' inside systemctl restart nats-broker.service
check 'with the same configuration' inside probe once nats://a:b@127.0.0.1:4222
inside pkill -TERM -f 'probe stranger'
wait "$stranger_pid"
matches 'a stranger tried' '"attempts":[1-9]' "$(cat "$work/stranger.json")"
matches 'and was never let in' '"let_in":0' "$(cat "$work/stranger.json")"
check 'the timer of an instance that has ended' inside systemctl start nats-broker-scrub@north.timer
check 'remove' dnf_in remove nats-broker
refuse 'no unit runs on' inside_sh 'systemctl list-units --plain --no-legend "nats-broker*" | grep .'
refuse 'no broker is left, nor an instance' inside pgrep -x nats-broker
for dir in /usr/lib/nats-broker /usr/share/nats-broker /usr/share/doc/nats-broker /usr/share/licenses/nats-broker; do
	refuse "$dir is gone" inside test -e "$dir"
done
scripts/box down "$box"
