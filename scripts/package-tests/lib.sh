# shellcheck shell=bash disable=SC2015
# What the parts of scripts/package-test share: checks, boxes, the packages under test.

work=$(mktemp -d "${TMPDIR:-/tmp}/nats-broker-packages.XXXXXX")
box_prefix=pkg$$
passed=0 failed=0
boxes=()

cleanup() {
	local b
	for b in "${boxes[@]}"; do scripts/box down "$b" 2>/dev/null; done
	[ -z "${container_cleanup:-}" ] || $container_cleanup
	if [ "$failed" = 0 ]; then rm -rf "$work"; else echo "note: left for a look: $work"; fi
}

# need COMMAND=PACKAGE...: installs the Debian packages of the commands that are missing.
need() {
	local pair missing=()
	for pair; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
	[ ${#missing[@]} -gt 0 ] || return 0
	apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && return 0
	echo "cannot install ${missing[*]}"
	return 77
}

ok() { passed=$((passed + 1)); printf 'ok   %s\n' "$*"; }
bad() { # NAME [TEXT]: TEXT is what was seen
	failed=$((failed + 1))
	printf 'FAIL: %s\n' "$1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | tail -n 30 | sed 's/^/     | /'
}

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1 seen
	shift
	if seen=$("$@" 2>&1 </dev/null); then ok "$name"; else bad "$name" "$seen"; fi
}

# refuse NAME COMMAND...: the command fails.
refuse() {
	local name=$1 seen
	shift
	if seen=$("$@" 2>&1 </dev/null); then bad "$name" "$seen"; else ok "$name"; fi
}

# same NAME WANT GOT
same() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "want: $2
got:  $3"; fi; }

# matches NAME REGEX TEXT
matches() { if grep -Eq -- "$2" <<<"$3"; then ok "$1"; else bad "$1" "no line matches $2 in: $3"; fi; }

# eventually SECONDS COMMAND...: waits for the command to succeed.
eventually() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1 </dev/null; do
		[ $SECONDS -le $deadline ] || return 1
		sleep 0.05
	done
}

# ---- boxes

# new_box NAME OPTION...: boots one; it is gone when the tests end. Sets $box.
new_box() {
	box=$box_prefix-$1
	shift
	boxes+=("$box")
	scripts/box up "$box" "$@" || { bad "boot $box"; return 1; }
	scripts/box push "$box" "$work/probe" /usr/local/bin/probe
}

inside() { scripts/box run "$box" "$@"; }
inside_sh() { scripts/box run "$box" sh -c "$1"; }
probe() { inside probe once nats://127.0.0.1:4222; }
active() { inside systemctl is-active --quiet nats-broker.service; }
status_text() { inside systemctl show -P StatusText nats-broker.service; }

# load_start; load_end: traffic in the box meanwhile; the report is in $work/load.json.
load_start() {
	scripts/box run "$box" probe load nats://127.0.0.1:4222 >"$work/load.json" 2>"$work/load.err" &
	load_pid=$!
	eventually 10 inside pgrep -x probe
	sleep 0.5
}
load_end() {
	sleep 1
	inside pkill -TERM -x probe
	wait "$load_pid" || bad "the load ran to its end" "$(cat "$work/load.err")"
}
load_field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/load.json"; }

# load_judge NAME: everybody is back, and in order.
load_judge() {
	same "$1: all clients are connected again" "$(load_field clients)" "$(load_field connected)"
	same "$1: no message came twice or out of order" 0 "$(load_field disordered)"
	[ "0$(load_field after_last)" -gt 0 ] && ok "$1: messages flow again" || bad "$1: messages flow again" "$(cat "$work/load.json")"
	echo "measured: $1: $(cat "$work/load.json")"
}

# carry_start CLIENTS,RATE [SCHEME]; carry_end: clients that never reconnect, meanwhile; the report is in $work/carry.json.
carry_start() {
	rm -f "$work/carry.json" # what it says must be of this run
	scripts/box run "$box" probe carry "${2:-nats}://127.0.0.1:4222" "$1" >"$work/carry.json" 2>"$work/carry.err" &
	carry_pid=$!
	eventually 90 grep -q running "$work/carry.json" || bad 'the clients run' "$(cat "$work/carry.err")"
	sleep 1
}
carry_end() {
	sleep 2
	inside pkill -TERM -x probe
	wait "$carry_pid" || bad 'the clients ran to the end' "$(cat "$work/carry.err")"
}
carry_field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/carry.json"; }

# carry_judge NAME MILLISECONDS: nobody has noticed anything but a pause, which is shown beside its target.
carry_judge() {
	local what
	[ "0$(carry_field received)" -gt 0 ] && ok "$1: messages flow" || bad "$1: messages flow" "$(cat "$work/carry.json")"
	for what in disconnects lost doubled disordered; do same "$1: $what" 0 "$(carry_field $what)"; done
	echo "measured: $1: a message was delayed by at most $(carry_field delay_ms) ms (target $2 ms), between two of a client were at most $(carry_field gap_ms) ms, without a restart $(carry_field mean_gap_ms) ms: $(tail -1 "$work/carry.json")"
}

# ---- the packages

new=1.0.0~test2 old=1.0.0~test1

# packages: builds new/ and, of an older version with another nats.conf, old/ in $packages; both
# signed with a key of the day.
packages() {
	packages=${packages:-$work/packages}
	new_dir=$packages/new
	(cd scripts/probe && CGO_ENABLED=0 go build -trimpath -o "$work/probe" .) || exit 1
	[ -e "$packages/complete" ] || build_packages || exit
	gpgv_keyring=$work/keyring.gpg
	gpg --dearmor <"$new_dir/nats-broker.asc" >"$gpgv_keyring"
}
build_packages() {
	local older=$work/older home=$work/gnupg t0=$SECONDS
	echo 'building the packages, of two versions'
	rm -rf "$packages"
	mkdir -p "$packages" "$older"
	install -d -m 700 "$home"
	gpg --homedir "$home" --batch --quiet --passphrase '' --quick-generate-key 'nats-broker package test' rsa3072 sign 7d &&
		gpg --homedir "$home" --batch --armor --export-secret-keys >"$work/key.asc" || { bad 'a key to sign with'; return 1; }
	gpgconf --homedir "$home" --kill all
	scripts/package --out "$new_dir" --version "$new" --key "$work/key.asc" >"$work/package.log" 2>&1 ||
		{ bad 'scripts/package' "$(cat "$work/package.log")"; return 1; }
	git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -C "$older" -xf -
	sed -i '1i # The configuration of an older version.' "$older/packaging/nats.conf"
	(cd "$older" && SOURCE_DATE_EPOCH=1000000000 scripts/package --out "$packages/old" --version "$old" \
		--key "$work/key.asc" --arch amd64) >"$work/package-old.log" 2>&1 ||
		{ bad 'scripts/package of the older version' "$(cat "$work/package-old.log")"; return 1; }
	rm -rf "$older" "$home"
	touch "$packages/complete"
	echo "measured: the packages of two versions were built in $((SECONDS - t0)) s"
}
deb() { echo "$packages/$1/nats-broker_${!1}-1_amd64.deb"; } # new|old
