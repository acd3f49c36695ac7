package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/confparse"
)

// said is all that is said of a configuration that is not valid.
func said(t testing.TB, text string, environ ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, warns, err := Load(LoadRequest{File: file, Environ: environ})
	var b bytes.Buffer
	var list confparse.Errors
	if errors.As(err, &list) {
		_ = list.Render(&b, false)
	}
	for _, w := range warns {
		_ = confparse.Errors{w.Error}.Render(&b, false)
		fmt.Fprintln(&b, w.Error)
	}
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// secretOptions are configurations with a secret at %s.
var secretOptions = []string{
	"authorization { user: a, password: %s }",
	"authorization {\n  user: a\n  password: %s\n  timeout: 1\n}",
	"authorization { user: a, pass = %s, timeout: 1 }",
	"authorization { token %s }",
	"authorization { users: [ {user: a, password: %s}, {user: b, password: c} ] }",
	"authorization {\"user\": \"a\", \"password\": %s}",
	"accounts { A { users: [ {user: a, password: %s} ] } }",
	"monitor { user: a, password: %s }",
	"cluster { port: -1, authorization { user: a, password: %s } }",
	"cluster { port: -1, routes: [ %s ] }",
	"cluster { port: -1, routes: [ \"nats://u:%s@h:1\" ] }",
	"cluster { port: -1, routes: [ nats://u:%s@h:1, nats://v:x@h:2 ] }",
	"default_sentinel: %s",

	"jetstream { encryption_key: %s }",
	"auth_token: %s",
}

// broken are secrets that the dialect reads as something else; each word of them is hushhush.
var broken = []string{
	"x,hushhush", "x,hushhush:y", "x,y:z,hushhush:1", "x;hushhush", "1-2hushhush", "{hushhush}", "{hushhush: 1}", "[hushhush", "[hushhush]",
	"\"hushhush", "'hushhush", "\"x\" hushhush", "'x'hushhush", "(hushhush", "(\nhushhush\n", "(hushhush\n hushhush)x hushhush\n", "top hushhush word",
	"$hushhush", "${hushhush}", "$2a$hushhush", "$2z$hushhush", "2026-13-01Thushhush", "-hushhush", ".hushhush", "12hushhush x",
	"\"a\\xhushhush\"", "\"\\hushhush\"", "\"a\nhush\\xhushhush\"", "x}hushhush", "x}hushhush: {", "x]hushhush", "x#hushhush", "x /hushhush", "x\x00hushhush",
	"9999999999999999hushhush x", "include hushhush", "hushhush\x01 hushhush", "= hushhush", ":hushhush x", "a: hushhush", "hushhush hushhush: hushhush",
	"true hushhush", "1.2.hushhush", "1e hushhush",
}

// No piece of a secret is in what is said of a configuration, however it breaks the configuration.
func TestBrokenSecretsAreNotShown(t *testing.T) {
	for _, option := range secretOptions {
		for _, secret := range broken {
			if text := said(t, fmt.Sprintf(option, secret)); strings.Contains(strings.ToLower(text), "hushhush") {
				t.Errorf("%q as %q:\n%s", secret, option, text)
			}
			// The same in a variable.
			name := strings.ReplaceAll(option, "%s", "$SECRET")
			if text := said(t, name, "SECRET="+secret); strings.Contains(strings.ToLower(text), "hushhush") {
				t.Errorf("$SECRET of %q as %q:\n%s", secret, option, text)
			}
		}
	}
}

// What is said of other things on the line stays as clear as it was.
func TestMistakesBesideSecretsAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"authorization { users: [ {user: a, password: x, denied: y} ] }":                            `unknown field "denied"`,
		"authorization { users: [ {user: a, password: \"x\", permissions: {publish: \"a..b\"}} ] }": `"a..b" is not a valid subject`,
		"authorization { user: a, password: \"x\", -y: 1 x }":                                       `found 'x'`,
		"authorization { user: a, password: $SECRET, timeout: 1 x }":                                `found 'x'`,
		"authorization { user: a, password: $SECRET }":                                              "environment variable SECRET cannot be read as a value: this string is not closed",
		"authorization { user: a, password: x y }":                                                  "expected the end of the line, ',', ';' or '}' after the value",
	} {
		if got := said(t, text, "SECRET=\"x"); !strings.Contains(got, want) && !(strings.Contains(text, "timeout") && strings.Contains(got, "not closed")) {
			t.Errorf("%s:\n%s\nwant %s", text, got, want)
		}
	}
}
