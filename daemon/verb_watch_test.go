package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
)

// What does not fit into the window is counted, and nobody waits.
func TestWindowIsBounded(t *testing.T) {
	w := &window{bytes: 8, room: 3}
	for range 10 {
		w.see(&broker.Message{Subject: []byte("a"), Payload: []byte("0123456789")})
	}
	list := w.take()
	if len(list) != 3 || w.seen.Load() != 10 || w.missed.Load() != 7 || list[0].Payload != "01234567" || list[0].Size != 10 {
		t.Errorf("%d kept, %d seen, %d missed, %+v", len(list), w.seen.Load(), w.missed.Load(), list[0])
	}
	w.see(&broker.Message{Subject: []byte("a"), Payload: []byte{0, 1, 2}})
	if list = w.take(); len(list) != 1 || !list[0].Binary || list[0].Payload != "AAEC" {
		t.Errorf("%+v", list)
	}
}

// A secret that the cut goes through is not shown in part.
func TestWindowMasks(t *testing.T) {
	seed := "SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY"
	jwt := "eyJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJzdWIiOiJVQURD.c2lnbmF0dXJl"
	for _, secret := range []string{seed, jwt} {
		for at := range 64 {
			w := &window{bytes: 64, room: 1}
			w.see(&broker.Message{Subject: []byte("a"), Payload: []byte(strings.Repeat(".", at) + " " + secret + " tail")})
			if got := w.take()[0].Payload; strings.Contains(got, secret[:6]) {
				t.Fatalf("%d bytes before it: %q", at, got)
			}
		}
	}
}

func TestBoundWatch(t *testing.T) {
	q := control.Watch{Subject: "a.>"}
	if err := boundWatch(&q); err != nil || q.Bytes != defaultBytes || q.Rate != defaultRate || q.For != time.Minute {
		t.Errorf("%+v, %v", q, err)
	}
	for _, q := range []control.Watch{
		{}, {Subject: "a b"}, {Subject: "a", Bytes: 5000}, {Subject: "a", Bytes: -1}, {Subject: "a", Rate: -1}, {Subject: "a", Rate: 1001},
		{Subject: "a", For: 2 * time.Hour}, {Subject: "a", For: -1}, {Subject: "a", Count: -1},
	} {
		if boundWatch(&q) == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}
