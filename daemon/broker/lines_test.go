package broker

import (
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// What the core is given from elsewhere than a line is held to what a line can have.
func TestWhatDoesNotFitALine(t *testing.T) {
	const evil = "x\r\nMSG other 1 4\r\nEVIL"
	b, addr := start(t, Options{})
	c := connect(t, addr)
	c.send("SUB > 1\r\n")
	c.sync()
	for _, s := range []string{evil, "a b", "a\tb", "a\nb", "a\rb", ""} {
		if b.Global().Publish(s, "", nil, []byte("x")) {
			t.Errorf("published to %q", s)
		}
		if s != "" && b.Global().Publish("x", s, nil, []byte("x")) {
			t.Errorf("published with reply %q", s)
		}
		if _, err := b.Global().SubscribeInternal(s, "", func(*Message) {}); err == nil {
			t.Errorf("subscribed to %q", s)
		}
		if s == "" {
			continue
		}
		if _, err := b.Global().SubscribeInternal("x", s, func(*Message) {}); err == nil {
			t.Errorf("subscribed in group %q", s)
		}
		if _, err := b.Global().AddRemote(nil, []byte(s), "", Members{}); err == nil {
			t.Errorf("a peer is interested in %q", s)
		}
	}
	c.sync()
	for what, a := range map[string]AccountOptions{
		"name":          {Name: evil},
		"export":        {Name: "A", Exports: []ServiceExport{{Subject: evil}}},
		"latency":       {Name: "A", Exports: []ServiceExport{{Subject: "x", Latency: &LatencySampling{Subject: evil}}}},
		"stream":        {Name: "A", Streams: []StreamImport{{Account: "A", Subject: evil}}},
		"stream local":  {Name: "A", Streams: []StreamImport{{Account: "A", Subject: "x", Local: evil}}},
		"service":       {Name: "A", Services: []ServiceImport{{Account: "A", Subject: evil}}},
		"service local": {Name: "A", Services: []ServiceImport{{Account: "A", Subject: "x", Local: evil}}},
		"mapping":       {Name: "A", Mappings: []Mapping{{Source: evil, Destinations: []MappingDestination{{Subject: "y", Weight: 100}}}}},
		"destination":   {Name: "A", Mappings: []Mapping{{Source: "x", Destinations: []MappingDestination{{Subject: evil, Weight: 100}}}}},
	} {
		if _, err := b.PrepareAccounts([]AccountOptions{a}); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// The same for the state that another process hands over.
func TestStateThatDoesNotFitALine(t *testing.T) {
	b, err := New(Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	c := &Client{broker: b, acc: b.Global()}
	for _, m := range []movedSub{
		{subject: "a\r\nb", sid: "1"}, {subject: "a", sid: "1\r\nb"}, {subject: "a", sid: "1 2"}, {subject: "a", sid: "1", queue: "q\r\n"}, {subject: "a"},
	} {
		c.restoreSubscription(&m)
	}
	c.subs.all(func(s *Subscription) bool {
		t.Errorf("subscribed: %q %q %q", s.Subject(), s.Queue(), s.SID())
		return true
	})
}
