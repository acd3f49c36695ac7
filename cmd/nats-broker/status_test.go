package main

import (
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/control"
)

func TestStatusForPeople(t *testing.T) {
	var b strings.Builder
	s := &control.Status{State: control.StateDraining, Text: "draining; 5 clients",
		Config: control.Config{File: "/etc/nats/nats.conf", Files: []string{"/etc/nats/nats.conf", "/etc/nats/nats.conf.d/a.conf"}}}
	printStatus(&b, s)
	for _, want := range []string{"draining: 5 clients\n", "\n  also read:       /etc/nats/nats.conf.d/a.conf\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), ":") {
			t.Errorf("a row has no name: %q", line)
		}
	}
}
