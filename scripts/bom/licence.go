package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// licence is a module's licence.
type licence struct {
	id         string   // SPDX identifier
	text       string   // as the module has it
	copyrights []string // the lines that begin with Copyright
}

// marks are phrases of which one licence has all, and those that come before it
// in the table do not have them all.
var marks = []struct {
	id      string
	phrases []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"MPL-2.0", []string{"Mozilla Public License", "2.0"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "the names of its contributors"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote products"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software"}},
	{"ISC", []string{"Permission to use, copy, modify, and distribute this software"}},
	{"MIT", []string{"Permission is hereby granted, free of charge"}},
}

var copyrightLine = regexp.MustCompile(`(?i)^\s*(?:©|copyright)[ :]+(?:\(c\)|©)?.*\d{4}.*`)

// findLicence reads the licence in dir. A licence that is not in the table is
// an error: somebody has to look at it before it is given to others.
func findLicence(dir string) (licence, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "License"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		return classify(string(data), filepath.Join(dir, name))
	}
	return licence{}, fmt.Errorf("no licence file in %s", dir)
}

func classify(text, where string) (licence, error) {
	l := licence{text: strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))}
	flat := strings.Join(strings.Fields(text), " ")
	for _, mark := range marks {
		if containsAll(flat, mark.phrases) {
			l.id = mark.id
			break
		}
	}
	if l.id == "" {
		return licence{}, fmt.Errorf("%s is a licence that bom does not know", where)
	}
	for line := range strings.Lines(l.text) {
		// The Apache licence's own text speaks of copyright and ends in a sample line.
		if copyrightLine.MatchString(line) && !strings.Contains(line, "[yyyy]") && !strings.Contains(line, "{yyyy}") {
			l.copyrights = append(l.copyrights, strings.TrimSpace(line))
		}
	}
	return l, nil
}

func containsAll(text string, phrases []string) bool {
	for _, p := range phrases {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(p)) {
			return false
		}
	}
	return true
}
