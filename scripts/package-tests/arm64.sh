# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# The arm64 program and package under qemu's user-mode emulation.

arm=$work/arm64
mkdir -p "$arm"
dpkg-deb --fsys-tarfile "$new_dir/nats-broker_$new-1_arm64.deb" | tar -C "$arm" -xf -
check 'the arm64 program runs' sh -c "qemu-aarch64-static '$arm/usr/bin/nats-broker' --version | grep -qF '$new'"
check 'it accepts the packaged configuration' qemu-aarch64-static "$arm/usr/bin/nats-broker" -t -c "$arm/etc/nats/nats.conf"

# It serves clients of the host's architecture, in a network of its own.
cat >"$work/arm64-serve" <<-END
	ip link set lo up
	qemu-aarch64-static '$arm/usr/bin/nats-broker' -a 127.0.0.1 -p 4222 >'$work/arm64.log' 2>&1 &
	pid=\$!
	for i in \$(seq 200); do grep -q 'Server is ready' '$work/arm64.log' && break; sleep 0.05; done
	'$work/probe' once nats://127.0.0.1:4222
	rc=\$?
	kill \$pid
	wait \$pid 2>/dev/null
	exit \$rc
END
check 'it serves a client' unshare -n sh "$work/arm64-serve"

# The unit tests of what is sensitive to an architecture: alignment, atomics, parsing of bytes.
check 'unit tests pass on arm64' env GOARCH=arm64 CGO_ENABLED=0 go test -short -count=1 -exec qemu-aarch64-static \
	./confparse ./daemon/subject ./daemon/sublist ./daemon/proto

# The package on an arm64 Debian: its scripts, as dpkg runs them there. Programs of an arm64
# Debian are unpacked for it and not installed, nor is the machine booted: both take minutes
# under emulation.
root=$work/arm-root
scripts/box emulate arm64 || bad 'programs of arm64 run here'
mmdebstrap --mode=root --variant=extract --architectures=arm64 --quiet \
	--include=dpkg,coreutils,dash,base-files,base-passwd,init-system-helpers,systemd-standalone-sysusers,grep,sed,tar,diffutils,debianutils,findutils,perl-base,libc6,libc-bin \
	bookworm "$root" >"$work/arm-root.log" 2>&1 || bad 'an arm64 Debian' "$(cat "$work/arm-root.log")"
for f in passwd group; do cp "$root/usr/share/base-passwd/$f.master" "$root/etc/$f"; done
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
cp "$new_dir/nats-broker_$new-1_arm64.deb" "$root/root/new.deb"
# What it depends on is there, but dpkg has not been told.
check 'the package installs on arm64' chroot "$root" dpkg --force-depends -i /root/new.deb
matches 'its architecture' '^arm64$' "$(chroot "$root" dpkg-query -W -f '${Architecture}\n' nats-broker)"
matches 'the program runs there' "$new" "$(chroot "$root" nats-broker --version)"
matches 'the user was made' '^nats:' "$(cat "$root/etc/passwd")"
same 'the service is enabled' /usr/lib/systemd/system/nats-broker.service \
	"$(readlink "$root/etc/systemd/system/multi-user.target.wants/nats-broker.service")"
check 'and is purged' chroot "$root" dpkg -P nats-broker
refuse 'without a trace' test -e "$root/etc/nats"
