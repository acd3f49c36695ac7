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

# The package on an arm64 Debian: its scripts, as dpkg runs them there. Such a machine is not
# booted: systemd under emulation takes minutes.
image=$(scripts/box image --arch arm64)
if [ -d "$image" ]; then
	mkdir "$work/arm-root" "$work/arm-upper" "$work/arm-work"
	mount -t overlay arm64-test -o "lowerdir=$image,upperdir=$work/arm-upper,workdir=$work/arm-work" "$work/arm-root"
	cp "$new_dir/nats-broker_$new-1_arm64.deb" "$work/arm-root/root/new.deb"
	check 'the package installs on arm64' chroot "$work/arm-root" dpkg -i /root/new.deb
	matches 'its architecture' '^arm64$' "$(chroot "$work/arm-root" dpkg-query -W -f '${Architecture}\n' nats-broker)"
	matches 'the program runs there' "$new" "$(chroot "$work/arm-root" nats-broker --version)"
	matches 'the user was made' '^nats:' "$(chroot "$work/arm-root" getent passwd nats)"
	check 'and is purged' chroot "$work/arm-root" dpkg -P nats-broker
	umount "$work/arm-root"
else
	bad 'an arm64 image' "$image"
fi
