package daemon

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// TestCertificatesAreLookedAtDaily: a certificate is asked for at the start, after a
// reload and every day, and no more once the part is stopped.
func TestCertificatesAreLookedAtDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		p := &certificatePart{log: logging.Discard(), presented: func() []transport.CertificateInfo { looks++; return nil }}
		if err := p.start(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*certificateLooks + time.Hour)
		synctest.Wait()
		if looks != 4 {
			t.Errorf("looked %d times in three days and at the start", looks)
		}
		c, err := p.prepare(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.commit()
		p.stop()
		time.Sleep(2 * certificateLooks)
		if looks != 5 {
			t.Errorf("looked %d times with a reload and a stop", looks)
		}
	})
}

// TestCertificateWarnsOnceADay: reloads do not repeat what was said, another certificate is
// said at once, and one that lives for a day is not said to end while most of it is left.
func TestCertificateWarnsOnceADay(t *testing.T) {
	now := time.Unix(1e9, 0)
	old := transport.CertificateInfo{File: "a", NotBefore: now.Add(-80 * 24 * time.Hour), NotAfter: now.Add(10 * 24 * time.Hour)}
	short := transport.CertificateInfo{File: "b", NotBefore: now, NotAfter: now.Add(24 * time.Hour)}
	shown := []transport.CertificateInfo{old, short}
	p := &certificatePart{log: logging.Discard(), presented: func() []transport.CertificateInfo { return shown }}
	for _, step := range []struct {
		after time.Duration
		want  map[transport.CertificateInfo]time.Duration // said when
	}{
		{0, map[transport.CertificateInfo]time.Duration{old: 0}},
		{time.Hour, map[transport.CertificateInfo]time.Duration{old: 0}},
		{20 * time.Hour, map[transport.CertificateInfo]time.Duration{old: 0, short: 20 * time.Hour}},
		{24 * time.Hour, map[transport.CertificateInfo]time.Duration{old: 24 * time.Hour, short: 20 * time.Hour}},
	} {
		p.look(now.Add(step.after))
		got := make(map[transport.CertificateInfo]time.Duration)
		for c, at := range p.warned {
			got[c] = at.Sub(now)
		}
		if !maps.Equal(got, step.want) {
			t.Errorf("after %v: said %v, want %v", step.after, got, step.want)
		}
	}
}
