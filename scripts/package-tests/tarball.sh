# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# The tarball, as somebody without root uses it.

name=nats-broker-v$new-linux-amd64
mkdir -p "$work/seed"
tar -C "$work/seed" -xzf "$new_dir/$name.tar.gz"
same 'one directory in the tarball' "$name" "$(ls "$work/seed")"
for f in LICENSE README.md nats-broker man/nats-broker.8 man/nats.conf.5 THIRD-PARTY-LICENSES; do
	[ -s "$work/seed/$name/$f" ] || bad "the tarball holds $f" "$(ls -R "$work/seed")"
done
ok 'the tarball holds what it should'
for f in $(grep -oE '\./[A-Za-z0-9./-]+' "$work/seed/$name/README.md"); do
	[ -e "$work/seed/$name/$f" ] || bad "the README names $f" "$(ls -R "$work/seed")"
done
matches 'the program says its version' "$new" "$("$work/seed/$name/nats-broker" --version)"
cat >"$work/seed/my.conf" <<-'END'
	port: 4222
	http: 8222
	authorization { user: a, password: b }
END
cat >"$work/seed/run" <<-END
	ip link set lo up
	cd '$work/seed/$name'
	setpriv --reuid 65534 --regid 65534 --clear-groups ./nats-broker -c ../my.conf >'$work/seed.log' 2>&1 &
	pid=\$!
	for i in \$(seq 200); do grep -q 'Server is ready' '$work/seed.log' && break; sleep 0.05; done
	'$work/probe' once nats://a:b@127.0.0.1:4222 && ! '$work/probe' once nats://a:x@127.0.0.1:4222
	rc=\$?
	kill \$pid
	wait \$pid
	exit \$rc
END
chmod -R go+rX "$work"
check 'unpacked, ./nats-broker -c FILE serves, without root' unshare -n sh "$work/seed/run"
