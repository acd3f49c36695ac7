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
	in dnf -y -q --releasever 1 --disablerepo '*' --repofrompath "nats-broker,file:///srv/yum" \
		--setopt nats-broker.gpgcheck=1 --setopt nats-broker.repo_gpgcheck=1 \
		--setopt nats-broker.gpgkey=file:///srv/nats-broker.asc --setopt keepcache=0 --setopt metadata_expire=0 "$@"
}
repository() { # new|old
	sh_in 'rm -rf /srv/yum'
	scripts/box push "$box" "$work/$1/yum" /srv/yum
	in dnf -q clean all >/dev/null 2>&1
}
active() { in systemctl is-active --quiet nats-broker.service; }

new_box rpm --with rpm,dnf || return
shim
scripts/box push "$box" "$work/shim.rpm" /root/shim.rpm
scripts/box push "$box" "$work/new/nats-broker.asc" /srv/nats-broker.asc
check 'an rpm database' sh_in 'rpm --initdb && rpm -i --nosignature /root/shim.rpm && rpm --import /srv/nats-broker.asc'

repository old
check 'dnf install from the signed repository' dnf_in install nats-broker
check 'signatures are right' sh_in 'rpm -K /srv/yum/nats-broker-*.x86_64.rpm'
check 'active (running)' active
same 'enabled by its preset' enabled "$(in systemctl is-enabled nats-broker.service)"
same 'runs as nats, not root' nats "$(sh_in 'stat -c %U /proc/$(systemctl show -P MainPID nats-broker)')"
same 'the configuration is for root and the group nats' '640 root nats' "$(sh_in "stat -c '%a %U %G' $conf")"
check 'a client: publish, subscribe, queue group, request' probe
same 'rpm -V finds nothing amiss' '' "$(in rpm -V nats-broker)"
matches 'the manual pages are documentation' '/usr/share/man/man8/nats-broker.8.gz' "$(in rpm -qd nats-broker)"

sh_in "echo 'max_connections: 5000' >>$conf"
eventually 10 sh_in 'journalctl -u nats-broker -o cat | grep -q max_connections' || bad 'the edit is live' ''
repository new
load_start
check 'dnf upgrade under load' dnf_in upgrade nats-broker
load_end
matches 'the new version is installed' '^1\.0\.0~test2-1$' "$(in rpm -q --qf '%{VERSION}-%{RELEASE}\n' nats-broker)"
same 'the new version runs' "$(sh_in 'stat -Lc %i /usr/bin/nats-broker')" \
	"$(sh_in 'stat -Lc %i /proc/$(systemctl show -P MainPID nats-broker)/exe')"
matches 'the edited configuration is kept' '^max_connections: 5000' "$(in cat $conf)"
check 'the new one lies beside it' in test -f $conf.rpmnew
load_judge 'dnf upgrade'
check 'still enabled' in systemctl is-enabled nats-broker.service
check 'reinstall' dnf_in reinstall nats-broker
check 'it serves' probe

check 'the compat package' dnf_in install nats-broker-compat
matches 'the program answers to its old name' '^nats-server: ' "$(in nats-server --version)"
check 'compat is removed' dnf_in remove nats-broker-compat

check 'dnf remove' dnf_in remove nats-broker
refuse 'the broker is gone' in pgrep -x nats-broker
check 'the edited configuration is saved' in test -f $conf.rpmsave
refuse 'no unit is left over' in systemctl cat nats-broker.service
refuse 'nor a link that enables it' test -e "$(scripts/box root "$box")/etc/systemd/system/multi-user.target.wants/nats-broker.service"

sh_in 'mkdir -p /etc/systemd/system-preset; echo "disable nats-broker.service" >/etc/systemd/system-preset/00-local.preset'
check 'install where a preset disables it' dnf_in install nats-broker
same 'it is disabled' disabled "$(in systemctl is-enabled nats-broker.service)"
refuse 'it is not started then' active
scripts/box down "$box"
