# shellcheck shell=bash disable=SC2154,SC2015,SC2016,SC2034
# The container image: built with buildah, run with podman, reached by a client.

store=(--root "$work/containers/root" --runroot "$work/containers/run" --storage-driver vfs)
netns=natspkg$$
container_cleanup=containers_down
containers_down() {
	podman "${store[@]}" rm -f -t 0 --all >/dev/null 2>&1
	podman "${store[@]}" volume rm -f "$netns-a" "$netns-b" >/dev/null 2>&1
	ip netns del "$netns" 2>/dev/null
	podman "${store[@]}" rmi -f --all >/dev/null 2>&1
	rm -rf "$work/containers"
}
start() { # NAME ARGUMENT...
	local name=$1
	shift
	# crun refuses hosts that mix cgroup versions, and a machine may not let a container have more
	# than the machine itself has.
	podman "${store[@]}" --runtime runc run -d --name "$name" --network "ns:/run/netns/$netns" \
		--ulimit nofile=1024:"$(ulimit -Hn)" --ulimit nproc=4096:4096 "$@" >"$work/container.log" 2>&1
}
ready() { eventually 10 ip netns exec "$netns" "$work/probe" once "$1"; }

scripts/package-image --dist "$new_dir" --tag localhost/nats-broker:test -- "${store[@]}" >"$work/image.log" 2>&1 &&
	ok 'the image is built' || bad 'the image is built' "$(cat "$work/image.log")"
inspect=$(podman "${store[@]}" image inspect localhost/nats-broker:test)
for port in 4222 6222 8222; do matches "port $port is exposed" "\"$port/tcp\"" "$inspect"; done
matches 'it does not run as root' '"User": "[1-9][0-9]*' "$inspect"

ip netns add "$netns"
ip -n "$netns" link set lo up
check 'a container starts' start one localhost/nats-broker:test
check 'it serves a client' ready nats://127.0.0.1:4222
listening=$(ip netns exec "$netns" ss -Hltn)
for port in 4222 8222; do matches "port $port is listened on" ":$port " "$listening"; done
if grep -q '^cluster' packaging/container.conf; then
	matches 'port 6222 is listened on' ':6222 ' "$listening"
	matches 'it is in the cluster my_cluster' 'my_cluster' "$(podman "${store[@]}" logs one 2>&1)"
fi
check 'podman exec: the health verb' podman "${store[@]}" --runtime runc exec one /nats-broker health
check 'it stops in good order' podman "${store[@]}" --runtime runc stop -t 10 one
same 'with exit status 0' 0 "$(podman "${store[@]}" inspect -f '{{.State.ExitCode}}' one)"
check 'flags replace the configuration' start two localhost/nats-broker:test -p 4333
check 'and it serves where they say' ready nats://127.0.0.1:4333
check 'it stops' podman "${store[@]}" --runtime runc stop -t 10 two
# Streams: on a volume they are there in the next container, whoever runs it.
stream() { ip netns exec "$netns" "$work/probe" stream nats://127.0.0.1:4222 "$@"; }
matches 'there is a volume for streams' '"/data"' "$inspect"
check 'with streams in a volume it starts' start js -v "$netns-a:/data" localhost/nats-broker:test -js -sd /data
check 'it serves' ready nats://127.0.0.1:4222
check 'messages are stored' stream fill 100
check 'it is removed' podman "${store[@]}" --runtime runc rm -f -t 10 js
check 'another starts with the volume' start js2 -v "$netns-a:/data" localhost/nats-broker:test -js -sd /data
check 'it serves' ready nats://127.0.0.1:4222
same 'the messages are there' 100 "$(stream count)"
podman "${store[@]}" --runtime runc rm -f -t 10 js2 >/dev/null 2>&1
# A health check as the manual has it; it needs no timer of the machine's to be asked once.
check 'with a health check it starts' start hc --health-cmd '["/nats-broker", "health"]' --health-interval disable localhost/nats-broker:test
check 'it serves' ready nats://127.0.0.1:4222
check 'and is healthy' podman "${store[@]}" --runtime runc healthcheck run hc
podman "${store[@]}" --runtime runc rm -f -t 0 hc >/dev/null 2>&1
check 'with one that asks at another port' start hc --health-cmd '["/nats-broker", "health", "--server", "nats://127.0.0.1:4333"]' --health-interval disable localhost/nats-broker:test
check 'it serves' ready nats://127.0.0.1:4222
refuse 'and is not healthy' podman "${store[@]}" --runtime runc healthcheck run hc
podman "${store[@]}" --runtime runc rm -f -t 0 hc >/dev/null 2>&1
check 'as another user, and nothing else to be written to' start js3 --user 1000 --read-only --read-only-tmpfs=false -v "$netns-b:/data" localhost/nats-broker:test -js -sd /data
check 'it serves' ready nats://127.0.0.1:4222
check 'messages are stored' stream fill 10
podman "${store[@]}" --runtime runc rm -f -t 10 js3 >/dev/null 2>&1
check 'flags of the public image: -js alone' start js4 localhost/nats-broker:test -js
check 'it serves' ready nats://127.0.0.1:4222
check 'messages are stored' stream fill 10
matches 'and it says that they will go' 'Temporary storage directory used' "$(podman "${store[@]}" logs js4 2>&1)"
podman "${store[@]}" --runtime runc rm -f -t 10 js4 >/dev/null 2>&1
start js5 localhost/nats-broker:test -c /nats-server.conf -js
podman "${store[@]}" --runtime runc wait js5 >/dev/null 2>&1
matches 'beside a cluster they are refused' 'jetstream in a cluster is not supported' "$(podman "${store[@]}" logs js5 2>&1)"
# However it is run, with nothing but its ports and its default command.
ways() { # NAME OPTION...
	local name=$1
	shift
	check "$name: it starts" start "$name" "$@" localhost/nats-broker:test
	ready nats://127.0.0.1:4222 && ok "$name: it serves" || bad "$name: it serves" "$(podman "${store[@]}" logs "$name" 2>&1)"
	podman "${store[@]}" --runtime runc stop -t 10 "$name" >/dev/null 2>&1
	same "$name: it ends in good order" 0 "$(podman "${store[@]}" inspect -f '{{.State.ExitCode}}' "$name")"
}
ways read-only --read-only --read-only-tmpfs=false
ways read-only-1000 --read-only --read-only-tmpfs=false --user 1000:1000
ways read-only-root --read-only --read-only-tmpfs=false --user 0:0
ways uid-1000 --user 1000
ways uid-65532 --user 65532:0
ways no-privileges --user 1000 --cap-drop all --security-opt no-new-privileges
ways tmpfs-run --tmpfs /run:rw,mode=0755
ways tmpfs-run-1000 --user 1000 --tmpfs /run:rw,mode=0755 --read-only
start verbs --user 1000 localhost/nats-broker:test
ready nats://127.0.0.1:4222
check 'the verbs work as any user' podman "${store[@]}" --runtime runc exec verbs /nats-broker status
containers_down
unset container_cleanup
