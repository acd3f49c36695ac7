package main

import (
	"fmt"
	"io"
	"strings"
)

const copyrightHead = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: nats-broker
Source: https://github.com/nats-broker/nats-broker
Comment:
 The program is linked statically. The modules that are in it, and their
 licences, follow the program's own.

Files: *
Copyright: The nats-broker authors
License: Apache-2.0

License: Apache-2.0
 Licensed under the Apache License, Version 2.0 (the "License"); you may not
 use this work except in compliance with the License. It is distributed on an
 "AS IS" basis, without warranties or conditions of any kind, either express
 or implied.
 .
 On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0.
`

// writeCopyright writes a copyright file in Debian's machine-readable format
// 1.0. BSD-like licences want their text, with its copyright line, to go with
// the program; each distinct one becomes a licence paragraph of its own.
func writeCopyright(out io.Writer, programs []program) error {
	fmt.Fprint(out, copyrightHead)
	names := map[string]string{} // licence text -> name in this file
	var order []string
	for _, m := range union(programs) {
		name := m.licence.id
		if name != "Apache-2.0" {
			var known bool
			if name, known = names[m.licence.text]; !known {
				name = m.licence.id + "-" + strings.NewReplacer("/", "-", ".", "-").Replace(m.path)
				names[m.licence.text] = name
				order = append(order, m.licence.text)
			}
		}
		holders := m.licence.copyrights
		if len(holders) == 0 {
			holders = []string{"The authors of " + m.path}
		}
		fmt.Fprintf(out, "\nFiles: %s/*\nCopyright:\n", m.path)
		for _, h := range holders {
			fmt.Fprintf(out, " %s\n", h)
		}
		fmt.Fprintf(out, "License: %s\nComment: version %s\n", name, m.version)
	}
	for _, text := range order {
		fmt.Fprintf(out, "\nLicense: %s\n", names[text])
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, " \t\n"); line == "" {
				line = "."
			}
			fmt.Fprintf(out, " %s\n", line)
		}
	}
	return nil
}
