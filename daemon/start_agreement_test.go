package daemon_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// oddConfigs have names, numbers and places that look odd.
var oddConfigs = []string{
	"system_account: NOPE",
	"system_account: \"$G\"",
	"system_account: A\naccounts { A { users: [ {user: a, password: b} ] } }",
	"accounts { \"*\": {} }",
	"accounts { \">\": {} }",
	"accounts { \"$1\": {} }",
	"accounts { \"a..b\": {} }",
	"accounts { \"a b\": {} }",
	"client_advertise: \"x:99999\"",
	"client_advertise: \"x:-5\"",
	"client_advertise: \"x\"",
	"client_advertise: \"a:b\"",
	"client_advertise: \"a:b:c\"",
	"client_advertise: \"::1\"",
	"client_advertise: \"[::1]:4\"",
	"cluster { name: C, port: -1, pool_size: 200 }",
	"cluster { name: C, port: -1, advertise: \"bad:port:1\" }",
	"cluster { name: C, port: -1, advertise: \"x:1\" }",
}

// What nats-server starts with we start with, and what it refuses we refuse. config check and -t say the same as a start,
// of a mistake in the file at its place; nats-server's -t takes some of what a start refuses.
func TestStartsAsNatsServerDoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nats.conf")
	run := func(bin string, args ...string) (valid bool, said string) {
		out, err := exec.Command(bin, append(args, file)...).CombinedOutput()
		return err == nil, string(out)
	}
	for _, config := range oddConfigs {
		theirs, refused := brokertest.Refuses(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config})
		ours, ourRefused := brokertest.Refuses(t, brokertest.Options{Config: config})
		if refused != ourRefused {
			t.Errorf("%s\nnats-server refuses: %v: %s\nnats-broker: %v: %s", config, refused, theirs, ourRefused, ours)
		}
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if valid, said := run(brokertest.Ours(t), "config", "check"); valid == ourRefused {
			t.Errorf("%s\nrefused at the start: %v; config check: %v: %s", config, ourRefused, valid, said)
		}
		valid, said := run(brokertest.Ours(t), "-t", "-c")
		if valid == ourRefused {
			t.Errorf("%s\nrefused at the start: %v; -t: %v: %s", config, ourRefused, valid, said)
		}
		if !valid && placeIn(said) != placeIn(ours) {
			t.Errorf("%s\nat the start: %s\nby -t: %s", config, ours, said)
		}
	}
	// An account without a name is the exception: $G goes by none in many places.
	if said, refused := brokertest.Refuses(t, brokertest.Options{Config: "accounts { \"\": {} }"}); !refused {
		t.Errorf("an account without a name is accepted: %s", said)
	}
}

// place is where a mistake is in a file, and which.
var place = regexp.MustCompile(`\.conf:(\d+:\d+: .*)`)

func placeIn(said string) string {
	if m := place.FindStringSubmatch(said); m != nil {
		return m[1]
	}
	return "no place: " + said
}

// Where streams would lie may be said of a server without JetStream.
func TestStoreDirWithoutJetStream(t *testing.T) {
	dir := t.TempDir()
	for _, o := range []brokertest.Options{
		{Args: []string{"-sd", dir}}, {Args: []string{"--store_dir", dir}}, {Config: "store_dir: \"" + dir + "\""},
		{Config: "jetstream: false\nstore_dir: \"" + dir + "\""},
	} {
		if said, refused := brokertest.Refuses(t, o); refused {
			t.Errorf("%v %q is refused: %s", o.Args, o.Config, said)
		}
		o.Binary = brokertest.NATSServer(t)
		if said, refused := brokertest.Refuses(t, o); refused {
			t.Errorf("nats-server refuses %v %q: %s", o.Args, o.Config, said)
		}
	}
}

// -t wants a file to look at.
func TestCheckNeedsAFile(t *testing.T) {
	for want, bin := range map[string]string{"nats-broker": brokertest.Ours(t), "nats-server": brokertest.NATSServer(t)} {
		out, err := exec.Command(bin, "-t").CombinedOutput()
		if err == nil || string(out) != want+": must specify [-c, --config] option to check configuration file syntax\n" {
			t.Errorf("%s -t: %v, %q", bin, err, out)
		}
	}
}

// Tools that drive nats-server wait for these words.
func TestSyntaxErrorsAreCalledParseErrors(t *testing.T) {
	for name, bin := range map[string]string{"nats-broker": brokertest.Ours(t), "nats-server": brokertest.NATSServer(t)} {
		said, refused := brokertest.Refuses(t, brokertest.Options{Binary: bin, Config: "debug: true\nauthorization { user: a b\n"})
		if !refused || !strings.Contains(said, "Parse error on line 2") {
			t.Errorf("%s: refused %v: %s", name, refused, said)
		}
	}
	said, refused := brokertest.Refuses(t, brokertest.Options{Config: "no_such_option: 1"})
	if !refused || strings.Contains(said, "Parse error") {
		t.Errorf("what is no mistake of syntax: refused %v: %s", refused, said)
	}
}
