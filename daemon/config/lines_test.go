package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What becomes a part of lines is held to what a line can have, at its place; see also FuzzConfiguredLines in daemon.
func TestSubjectsFitLines(t *testing.T) {
	for _, evil := range []string{`x\r\nMSG other 1 4\r\nEVIL\r\nMSG y`, `a b`, `a\tb`, `a\nb`, `a\rb`} {
		for what, format := range map[string]string{
			"mapping":        "accounts { A { mappings: { go: \"%s\" } } }",
			"mapping of all": "mappings { go: \"%s\" }",
			"way":            "mappings { \"go.*\": [ {destination: \"ev.{{wildcard(1)}}.%s\", weight: 10} ] }",
			"way in cluster": "mappings { go: [ {destination: \"%s\", weight: 10, cluster: C} ] }",
			"mapped":         "mappings { \"%s\": x }",
			"stream to":      "accounts { A { exports: [ {stream: \"ev.>\"} ] } B { imports: [ {stream: {account: A, subject: \"ev.>\"}, to: \"%s.>\"} ] } }",
			"literal to":     "accounts { A { exports: [ {stream: ev} ] } B { imports: [ {stream: {account: A, subject: ev}, to: \"%s\"} ] } }",
			"prefix":         "accounts { A { exports: [ {stream: \"ev.>\"} ] } B { imports: [ {stream: {account: A, subject: \"ev.>\"}, prefix: \"%s\"} ] } }",
			"service to":     "accounts { A { exports: [ {service: s} ] } B { imports: [ {service: {account: A, subject: s}, to: \"%s\"} ] } }",
			"latency":        "accounts { A { exports: [ {service: s, latency: {sampling: 100, subject: \"%s\"}} ] } }",
			"account":        "cluster { port: -1 }\naccounts { \"%s\" { } }",
		} {
			if key := what == "mapped" || what == "account"; key && evil != `a b` {
				continue // keys know no escapes
			}
			file := filepath.Join(t.TempDir(), "nats.conf")
			if err := os.WriteFile(file, fmt.Appendf(nil, format, evil), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := Load(LoadRequest{File: file}); err == nil || !strings.Contains(err.Error(), "nats.conf:") {
				t.Errorf("%s of %q: %v", what, evil, err)
			}
		}
	}
}
