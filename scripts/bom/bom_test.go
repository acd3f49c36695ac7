package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A licence taken for another one would be passed on under the wrong terms.
func TestClassify(t *testing.T) {
	const bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
	tests := []struct{ name, text, id string }{
		{"apache", "Apache License\n Version 2.0, January 2004", "Apache-2.0"},
		{"two clauses", "Copyright 2001 A\n" + bsd, "BSD-2-Clause"},
		{"three clauses", "Copyright 2001 A\n" + bsd + "\nNeither the name of X nor\nthe names of its\ncontributors may", "BSD-3-Clause"},
		{"three clauses, other words", bsd + "\nmay not be used to endorse or promote\nproducts", "BSD-3-Clause"},
		{"mit", "Permission is hereby granted, free of charge, to any person", "MIT"},
		{"unknown", "You may look at this, and no more.", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := classify(test.text, "LICENSE")
			if (err != nil) != (test.id == "") || l.id != test.id {
				t.Errorf("got %q, %v; want %q", l.id, err, test.id)
			}
		})
	}
}

func TestCopyrightLines(t *testing.T) {
	l, err := classify("MIT License\n\nCopyright (c) 2017 Olivier Poitras\n© 2019 B\nCopyright [yyyy] [name of copyright owner]\n"+
		"Permission is hereby granted, free of charge,\ncopyright notice of the above", "LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.copyrights, "|"); got != "Copyright (c) 2017 Olivier Poitras|© 2019 B" {
		t.Errorf("got %q", got)
	}
}

// Both documents of a real program, this one: every relationship leads to a
// package, and no time or path of this machine is in them.
func TestDocuments(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bom")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var spdx, copyright bytes.Buffer
	if err := run([]string{"spdx", "bom", "1.0", binary}, &spdx); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"copyright", binary}, &copyright); err != nil {
		t.Fatal(err)
	}
	var doc spdxDocument
	if err := json.Unmarshal(spdx.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Creation.Created != "2023-11-14T22:13:20Z" {
		t.Errorf("created %s", doc.Creation.Created)
	}
	ids := map[string]bool{doc.ID: true}
	for _, p := range doc.Packages {
		if ids[p.ID] {
			t.Errorf("%s occurs twice", p.ID)
		}
		ids[p.ID] = true
	}
	for _, r := range doc.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%v leads nowhere", r)
		}
	}
	if dir, _ := os.Getwd(); strings.Contains(spdx.String()+copyright.String(), filepath.Dir(dir)) {
		t.Error("a path of this machine is in the documents")
	}
	if !strings.Contains(copyright.String(), "Files: std/*\n") || !strings.Contains(copyright.String(), "License: BSD-3-Clause-std\n") {
		t.Errorf("Go's own licence is missing:\n%s", copyright.String())
	}
}
