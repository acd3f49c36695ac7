package broker

import (
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// TestHalves: two halves make one event, in whatever order they come, and however often.
func TestHalves(t *testing.T) {
	own := &serviceLatency{ID: "x", Service: 100, Total: 130, Requestor: &ClientInfo{RTT: 30}}
	told := &serviceLatency{Service: 40, Responder: &ClientInfo{Name: "r", RTT: 20}}
	for name, order := range map[string][][2]*serviceLatency{
		"own first":  {{own, nil}, {nil, told}},
		"told first": {{nil, told}, {own, nil}},
		"told twice": {{nil, told}, {nil, &serviceLatency{Service: 1}}, {own, nil}, {nil, told}, {own, nil}},
	} {
		var h halves
		var got []*serviceLatency
		for _, o := range order {
			if l := h.join(o[0], o[1]); l != nil {
				got = append(got, l)
			}
		}
		if len(got) != 1 {
			t.Errorf("%s: %d events", name, len(got))
			continue
		}
		if l := got[0]; l.ID != "x" || l.Service != 40 || l.System != 40 || l.Total != 130 || l.Responder.Name != "r" || l.Requestor.RTT != 30 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if own.Responder != nil || own.Service != 100 {
		t.Error("a half was changed")
	}
	if l := merged(own, &serviceLatency{Service: 200}); l.System != 0 {
		t.Errorf("a negative time: %v", l.System)
	}
}

// TestMeasuredElsewhere: nothing that another server says does more than be refused.
func TestMeasuredElsewhere(t *testing.T) {
	b, _ := start(t, Options{})
	for _, bad := range []string{"", "[]", "{", `{"account":""}`, `{"account":"nobody","req_id":"_R_.x"}`} {
		if b.MeasuredElsewhere([]byte(bad)) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, id := range []string{"", "_R_.", "_R_.abcdef.", "_R_.abcdef.00zzzzzzzzzz.abcdefgh.T"} {
		if err := b.MeasuredElsewhere([]byte(`{"account":"$G","req_id":"` + id + `","m2":{"service":1}}`)); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestTracked: the reply subject of a measured request is told from others, as nats-server spells it.
func TestTracked(t *testing.T) {
	b, _ := start(t, Options{ServerName: "one"})
	for s, want := range map[string]bool{
		"_R_.abcdef.00zzzzzzzzzz":                     false,
		"_INBOX.abcdefghijkl.00zzzzzzzzzz.abcdefgh.T": false,
		"_R_.T":            false,
		"":                 false,
		"_R_.x.abcdefgh.T": true,
		string(b.trackedName([]byte("_R_.a.00zzzzzz"))): true,
	} {
		if tracked([]byte(s)) != want {
			t.Errorf("%q: not %v", s, want)
		}
	}
	if got := NodeName("one"); len(got) != nodeDigits || "_R_.a."+got+".T" != string(b.trackedName([]byte("_R_.a"))) {
		t.Errorf("node %q", got)
	}
}

// TestNoteMeasured: only what is a service here is measured.
func TestNoteMeasured(t *testing.T) {
	b, _ := start(t, Options{})
	commit, err := b.PrepareAccounts([]AccountOptions{{Name: "S", Exports: []ServiceExport{{Subject: "service.*", Threshold: time.Millisecond}}}})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	a := b.Account("S")
	for subject, want := range map[string]bool{"service.one": true, "other": false} {
		f := proto.Frame{Subject: []byte(subject), Reply: []byte("_R_." + subject + ".abcdefgh.T")}
		if a.noteMeasured(&f) != want {
			t.Errorf("%s: not %v", subject, want)
		}
	}
}
