# shellcheck shell=bash disable=SC2154,SC2015,SC2016
# The life of streams on one machine: switched on by a line, filled, upgraded and downgraded under load, cut off
# with the machine, there after a boot, moved out of the sandbox, and left by a purge.

conf=/etc/nats/nats.conf
url=nats://127.0.0.1:4222

install() { inside apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold --allow-downgrades install "/var/tmp/$1.deb"; }
fill_start() { # a client that publishes one message after the other; the number of each that is acknowledged is in $work/acked
	scripts/box run "$box" probe stream $url fill >"$work/acked" 2>"$work/acked.err" &
	fill_pid=$!
	eventually 10 test -s "$work/acked" || bad 'messages are stored' "$(cat "$work/acked.err")"
}
acked() { grep -E '^[0-9]+$' "$work/acked" | tail -1; }
more() { # waits until some more are acknowledged
	local n
	n=$(acked)
	eventually 30 sh -c "[ \$(grep -cE '^[0-9]+\$' '$work/acked') -gt 100 ] && [ \$(grep -E '^[0-9]+\$' '$work/acked' | tail -1) -gt $((n + 50)) ]"
}
journal_has() { eventually 5 inside_sh "journalctl -u nats-broker -o cat | grep -q -e '$1'"; }

new_box streams || return
for each in old new; do scripts/box push "$box" "$(deb $each)" "/var/tmp/$each.deb"; done
inside chmod 644 /var/tmp/old.deb /var/tmp/new.deb
check 'the older version is installed' install old
refuse 'it keeps no streams' inside probe stream $url fill 1
inside_sh "echo 'jetstream: true' >>$conf"
check 'one line and a restart' inside systemctl restart nats-broker.service
check 'then it does' inside probe stream $url fill 10
check 'in the directory of the service' inside test -d /var/lib/nats-broker/nats-broker/streams
check 'of a file system that may lose them it warns' journal_has 'Storage directory /var/lib/nats-broker is on overlayfs'

fill_start
check 'upgrade while messages are stored' install new
same 'the new version runs' "$(inside_sh 'stat -Lc %i /usr/bin/nats-broker')" \
	"$(inside_sh 'stat -Lc %i /proc/$(systemctl show -P MainPID nats-broker)/exe')"
check 'they go on being stored' more
check 'downgrade while messages are stored' install old
check 'they go on being stored' more
check 'and upgrade again' install new
check 'they go on being stored' more
kill -0 "$fill_pid" && ok 'the client has noticed nothing' || bad 'the client has noticed nothing' "$(cat "$work/acked.err")"
# A version that cannot read what is there is not let at it: the identity of the storage is made one of a later format.
scripts/box pull "$box" /var/lib/nats-broker/nats-broker/node "$work/node"
python3 - "$work/node" "$work/node.later" <<-'END'
	import struct, sys
	def crc32c(data):
	    crc = 0xffffffff
	    for byte in data:
	        crc ^= byte
	        for _ in range(8):
	            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	    return crc ^ 0xffffffff
	b = bytearray(open(sys.argv[1], 'rb').read())
	for at in (0, len(b) // 2):
	    b[at + 4:at + 8] = struct.pack('<I', 7)
	    b[at + 28:at + 32] = struct.pack('<I', crc32c(b[at:at + 28]))
	open(sys.argv[2], 'wb').write(b)
END
pid=$(inside systemctl show -P MainPID nats-broker)
scripts/box push "$box" "$work/node.later" /var/lib/nats-broker/nats-broker/node
seen=$(inside apt-get -q -y -o Dpkg::Use-Pty=0 install --reinstall /var/tmp/new.deb 2>&1) && ok 'a version that cannot read the streams is installed' || bad 'a version that cannot read the streams is installed' "$seen"
matches 'and says so' 'this version cannot read the streams of nats-broker.service, which is not restarted' "$seen"
matches 'by the format' 'format 7: this version reads and writes format 2' "$seen"
same 'the one that runs goes on' "$pid" "$(inside systemctl show -P MainPID nats-broker)"
check 'messages are stored meanwhile' more
scripts/box push "$box" "$work/node" /var/lib/nats-broker/nats-broker/node
inside chown nats:nats /var/lib/nats-broker/nats-broker/node
check 'the machine is cut off' scripts/box crash "$box"
wait "$fill_pid" 2>/dev/null
check 'boot' scripts/box start "$box"
check 'the broker is back' eventually 10 probe
seen=$(inside probe stream $url check "$(acked)" 2>&1) && ok "all $(acked) messages that were acknowledged are there, each once" ||
	bad "all $(acked) messages that were acknowledged are there, each once" "$seen"
check 'and more are stored' inside probe stream $url fill 10
messages=$(inside probe stream $url count)

# A directory outside of the sandbox: what the words say is done, as it stands there.
inside_sh "sed -i 's|^jetstream: true|jetstream { store_dir: \"/data\" }|' $conf"
said=$(inside nats-broker config check 2>&1)
matches 'config check names what the sandbox keeps the service from' '/data is outside of what the sandbox lets nats-broker.service write to' "$said"
refuse 'a restart fails' inside systemctl restart nats-broker.service
said=$(inside journalctl -u nats-broker -o cat -n 30)
matches 'and says what to do' 'install -d -o nats -g nats -m 0750 /data, and systemctl edit nats-broker.service with the lines \[Service\] and ReadWritePaths=/data' "$said"
matches 'in the status, too' 'the service may not write there' "$(status_text)"
inside_sh 'install -d -o nats -g nats -m 0750 /data; mkdir -p /etc/systemd/system/nats-broker.service.d
	printf "[Service]\nReadWritePaths=/data\n" >/etc/systemd/system/nats-broker.service.d/data.conf; systemctl daemon-reload; systemctl reset-failed nats-broker'
check 'that done, it starts' inside systemctl restart nats-broker.service
check 'and stores there' inside probe stream $url fill 10
check 'which is where it was told' inside test -d /data/nats-broker/streams
same 'config check is content' '' "$(inside nats-broker config check 2>&1 | grep 'outside of what the sandbox')"
inside_sh 'rm /etc/systemd/system/nats-broker.service.d/data.conf; systemctl daemon-reload'

# A purge takes no messages.
seen=$(inside apt-get -q -y -o Dpkg::Use-Pty=0 purge nats-broker 2>&1) && ok 'purge' || bad 'purge' "$seen"
matches 'says where streams stay' 'nats-broker: /var/lib/nats-broker holds streams, and stays' "$seen"
check 'a storage elsewhere stays as well' inside test -d /data/nats-broker/streams
check 'installed anew' install new
inside_sh "echo 'jetstream: true' >>$conf"
check 'and switched on' inside systemctl restart nats-broker.service
same 'it has the messages' "$messages" "$(inside probe stream $url count)"
scripts/box down "$box"
