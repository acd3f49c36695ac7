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

in() { scripts/box run "$box" "$@"; }
sh_in() { scripts/box run "$box" sh -c "$1"; }
probe() { in probe once nats://127.0.0.1:4222; }
active() { in systemctl is-active --quiet nats-broker.service; }
status_text() { in systemctl show -P StatusText nats-broker.service; }

# load_start; load_end: traffic in the box meanwhile; the report is in $work/load.json.
load_start() {
	scripts/box run "$box" probe load nats://127.0.0.1:4222 >"$work/load.json" 2>"$work/load.err" &
	load_pid=$!
	eventually 10 in pgrep -x probe
	sleep 0.5
}
load_end() {
	sleep 1
	in pkill -TERM -x probe
	wait "$load_pid" || bad "the load ran to its end" "$(cat "$work/load.err")"
}
load_field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/load.json"; }

# load_judge NAME: everybody is back, in order, and nobody was turned away.
load_judge() {
	same "$1: all clients are connected again" "$(load_field clients)" "$(load_field connected)"
	same "$1: no message came twice or out of order" 0 "$(load_field disordered)"
	same "$1: no connection was refused" 0 "$(load_field refused)"
	[ "$(load_field after_last)" -gt 0 ] && ok "$1: messages flow again" || bad "$1: messages flow again" "$(cat "$work/load.json")"
	echo "measured: $1: $(cat "$work/load.json")"
}

# ---- the packages

new=1.0.0~test2 old=1.0.0~test1

# packages: builds $work/new and, of an older version with another nats.conf, $work/old; both
# signed with a key of the day.
packages() {
	local older=$work/older
	echo "building the packages"
	(cd scripts/probe && CGO_ENABLED=0 go build -trimpath -o "$work/probe" .) || exit 1
	gpg --homedir "$(install -d -m 700 "$work/gnupg" && echo "$work/gnupg")" --batch --quiet --passphrase '' \
		--quick-generate-key 'nats-broker package test' rsa3072 sign 1d 2>"$work/gpg.log" || { cat "$work/gpg.log"; exit 1; }
	gpg --homedir "$work/gnupg" --batch --armor --export-secret-keys >"$work/key.asc"
	gpgconf --homedir "$work/gnupg" --kill all
	scripts/package --out "$work/new" --version "$new" --key "$work/key.asc" >"$work/package.log" 2>&1 ||
		{ cat "$work/package.log"; bad 'scripts/package'; exit 1; }
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
	export SOURCE_DATE_EPOCH
	mkdir "$older"
	git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -C "$older" -xf -
	sed -i '1i # The configuration of an older version.' "$older/packaging/nats.conf"
	(cd "$older" && scripts/package --out "$work/old" --version "$old" --key "$work/key.asc" --arch amd64) >"$work/package-old.log" 2>&1 ||
		{ cat "$work/package-old.log"; bad 'scripts/package of the older version'; exit 1; }
	unset SOURCE_DATE_EPOCH
	rm -rf "$older"
}
deb() { echo "$work/$1/nats-broker_${!1}-1_amd64.deb"; } # new|old
