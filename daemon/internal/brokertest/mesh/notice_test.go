package mesh

import (
	"strings"
	"testing"
	"time"
)

// A ledger that does not notice what goes wrong proves nothing.
func TestLedgerNotices(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(l *ledger)
		want string // of the complaint; "" for none
	}{
		{"all is well", func(l *ledger) { l.came(0, 1, 0); l.came(0, 1, 1); l.came(0, 1, 2) }, ""},
		{"doubled", func(l *ledger) { l.came(0, 1, 0); l.came(0, 1, 0); l.came(0, 1, 1); l.came(0, 1, 2) }, "twice"},
		{"late", func(l *ledger) { l.came(0, 1, 1); l.came(0, 1, 0); l.came(0, 1, 2) }, "message 0 from 0 came to 1 when 2 was next"},
		{"late and doubled", func(l *ledger) { l.came(0, 1, 2); l.came(0, 1, 0); l.came(0, 1, 0); l.came(0, 1, 1) }, "twice"},
		{"lost", func(l *ledger) { l.came(0, 1, 0); l.came(0, 1, 2) }, "message 1 from 0, sent at"},
		{"the last lost", func(l *ledger) { l.came(0, 1, 0); l.came(0, 1, 1) }, "message 2 from 0, sent at"},
		{"lost with an excuse", func(l *ledger) {
			l.came(0, 1, 0)
			l.forgive("", between(0, 1), time.Now(), time.Now(), time.Now())
		}, ""},
		{"lost with an excuse for others", func(l *ledger) {
			l.came(0, 1, 0)
			l.forgive("", between(1, 2), time.Now(), time.Now(), time.Now())
		}, "did not come to 1"},
		{"lost before the excuse", func(l *ledger) {
			l.came(0, 1, 0)
			l.forgive("", between(0, 1), time.Now().Add(time.Hour), time.Now().Add(time.Hour), time.Now().Add(time.Hour))
		}, "did not come to 1"},
		{"served twice", func(l *ledger) { l.came(0, 1, 0); l.came(0, 1, 1); l.came(0, 1, 2); l.served(0, 2, 1) }, "served twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(3, none)
			for range 3 {
				l.send(0)
			}
			for n := range 3 {
				l.served(0, 1, n)
				l.came(0, 0, n)
				l.came(0, 2, n)
			}
			c.do(l)
			bad, _, _ := l.verdict()
			if got := strings.Join(bad, "; "); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("complaints %q, want %q", got, c.want)
			}
		})
	}
}
