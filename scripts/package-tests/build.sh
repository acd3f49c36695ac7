# shellcheck shell=bash disable=SC2154,SC2015
# What can be said of the packages without installing them.

lints() {
	local seen page
	seen=$(lintian --allow-root --tag-display-limit 0 --fail-on error,warning "$new_dir"/*.deb 2>&1) &&
		ok 'lintian: no error, no warning' || bad lintian "$seen"
	seen=$(rpmlint -c packaging/rpm/rpmlint.toml "$new_dir"/*.rpm 2>&1 | grep -E ': [EW]: ')
	same 'rpmlint: no error, no warning' '' "$seen"
	seen=$(for page in man/*.[1-8]; do mandoc -Tlint -W warning "$page" 2>&1 | grep -v 'outdated mandoc.db'; done)
	same 'mandoc: no warning' '' "$seen"
	check 'the AppArmor profile compiles' apparmor_parser -QTK packaging/apparmor/nats-broker
}

# A second build, elsewhere and later, of the unsigned artefacts.
reproducible() {
	local one two
	one=$(cd "$new_dir" && sha256sum ./*.deb ./*.tar.gz ./*.spdx.json)
	scripts/package --out "$work/again" --version "$new" --only deb --only tar >/dev/null 2>&1
	two=$(cd "$work/again" && sha256sum ./*.deb ./*.tar.gz ./*.spdx.json)
	same 'debs, tarballs and SBOM: two builds, the same bytes' "$one" "$two"
	# Signatures carry the time; without a key the rpms are the same, too.
	scripts/package --out "$work/rpm1" --version "$new" --only rpm --arch amd64 >/dev/null 2>&1
	one=$(cd "$work/rpm1" && sha256sum ./*.rpm yum/repodata/*)
	scripts/package --out "$work/rpm1" --version "$new" --only rpm --arch amd64 >/dev/null 2>&1
	two=$(cd "$work/rpm1" && sha256sum ./*.rpm yum/repodata/*)
	same 'rpms and yum repository: two builds, the same bytes' "$one" "$two"
}

contents() {
	local f list
	for f in "$new_dir"/nats-broker_*_*.deb; do
		case $f in *amd64.deb) want=x86-64 ;; *) want=aarch64 ;; esac
		dpkg-deb --fsys-tarfile "$f" | tar -xOf - ./usr/bin/nats-broker >"$work/binary"
		matches "${f##*/} holds a static $want program" "ELF 64-bit LSB executable, .*$want.*statically linked" \
			"$(elf "$work/binary")"
	done
	list=$(dpkg-deb -c "$(deb new)" | awk '{print $6}')
	for f in /usr/bin/nats-broker /etc/nats/nats.conf /etc/nats/nats.conf.d/ \
		/usr/lib/systemd/system/nats-broker.service /usr/lib/systemd/system/nats-broker@.service \
		/usr/lib/systemd/system/nats-broker.socket /usr/lib/systemd/catalog/nats-broker.catalog \
		/usr/lib/sysusers.d/nats-broker.conf /etc/apparmor.d/nats-broker /usr/lib/firewalld/services/nats-broker.xml \
		/usr/share/bash-completion/completions/nats-broker /usr/share/fish/vendor_completions.d/nats-broker.fish \
		/usr/share/zsh/vendor-completions/_nats-broker /usr/share/man/man8/nats-broker.8.gz \
		/usr/share/man/man5/nats.conf.5.gz /usr/share/doc/nats-broker/copyright /usr/share/doc/nats-broker/changelog.Debian.gz; do
		grep -qx ".$f" <<<"$list" || bad "the deb holds $f" "$list"
	done
	ok 'the deb holds what it should'
	# What is named in the README and in the manual pages, of what we install.
	for f in $(dpkg-deb --fsys-tarfile "$(deb new)" | tar -xOf - ./usr/share/doc/nats-broker/README.md |
		grep -oE '/(etc/nats|usr/share/(doc/)?nats-broker)[A-Za-z0-9./-]*' | sort -u); do
		grep -qE "^\.$f/?$" <<<"$list" || bad "the README names $f" "$list"
	done
	ok 'the README names nothing that is not there'
	same 'conffiles' '/etc/apparmor.d/nats-broker /etc/nats/nats.conf' "$(dpkg-deb -I "$(deb new)" conffiles | sort | xargs)"
	check 'SHA256SUMS is right' sh -c "cd '$new_dir' && sha256sum --quiet -c SHA256SUMS"
	check 'SHA256SUMS is signed' gpgv --keyring "$gpgv_keyring" "$new_dir/SHA256SUMS.asc" "$new_dir/SHA256SUMS"
	check 'the SBOM names the program and its modules' sbom
}

sbom() {
	python3 - "$new_dir"/*.spdx.json <<-'END'
		import json, sys
		doc = json.load(open(sys.argv[1]))
		assert doc["spdxVersion"] == "SPDX-2.3", doc["spdxVersion"]
		ids = {p["SPDXID"] for p in doc["packages"]} | {"SPDXRef-DOCUMENT"}
		assert all(r["spdxElementId"] in ids and r["relatedSpdxElement"] in ids for r in doc["relationships"])
		names = {p["name"] for p in doc["packages"]}
		assert {"nats-broker", "std", "golang.org/x/sys"} <= names, names
		assert all(p["licenseDeclared"] != "NOASSERTION" for p in doc["packages"])
	END
}

elf() { # what kind of program it is, for `file` is not on every machine
	python3 - "$1" <<-'END'
		import struct, sys
		data = open(sys.argv[1], "rb").read()
		machine, = struct.unpack_from("<H", data, 18)
		phoff, = struct.unpack_from("<Q", data, 32)
		size, count = struct.unpack_from("<HH", data, 54)
		interp = any(struct.unpack_from("<I", data, phoff + i * size)[0] == 3 for i in range(count))
		print("ELF 64-bit LSB executable,", {62: "x86-64", 183: "aarch64"}[machine],
			"dynamically linked" if interp else "statically linked")
	END
}

lints
reproducible
contents
