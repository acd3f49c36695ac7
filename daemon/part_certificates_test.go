package daemon

import (
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
