package daemon

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// certificatePart warns of certificates that are about to expire: at the start, when
// they change, and once a day.
type certificatePart struct {
	log *logging.Logger
	// presented lists the certificates in use.
	presented func() []transport.CertificateInfo

	end  chan struct{}
	done sync.WaitGroup
}

const (
	certificateWarning = 30 * 24 * time.Hour // before the end
	certificateLooks   = 24 * time.Hour
)

func (p *certificatePart) name() string { return "certificates" }

func (p *certificatePart) start(*config.Config) error {
	p.look(time.Now())
	end := make(chan struct{})
	p.end = end
	p.done.Go(func() { // ends with stop
		t := time.NewTicker(certificateLooks)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				p.look(now)
			case <-end:
				return
			}
		}
	})
	return nil
}

// prepare looks again after every commit. The part comes behind the one that
// exchanges the certificates.
func (p *certificatePart) prepare(old, new *config.Config) (*change, error) {
	return &change{commit: func() { p.look(time.Now()) }}, nil
}

func (p *certificatePart) stop() {
	if p.end != nil {
		close(p.end)
		p.done.Wait()
		p.end = nil
	}
}

// look writes what there is to say of the certificates at a time.
func (p *certificatePart) look(now time.Time) {
	for _, c := range p.presented() {
		left := c.NotAfter.Sub(now)
		if left > certificateWarning {
			continue
		}
		day := c.NotAfter.UTC().Format(time.RFC3339)
		fields := []logging.Field{logging.String("NATS_CERTIFICATE", c.File), logging.String("NATS_EXPIRES", day)}
		if left <= 0 {
			p.log.Event(logging.Error, logging.CertificateExpired, fmt.Sprintf("Certificate %s (%s) expired on %s", c.File, c.Subject, day), fields...)
			continue
		}
		p.log.Event(logging.Warn, logging.CertificateExpiring, fmt.Sprintf("Certificate %s (%s) expires on %s, in %d days",
			c.File, c.Subject, day, int(math.Ceil(left.Hours()/24))), fields...)
	}
}

// usedCertificate is a certificate and to whom it is shown.
type usedCertificate struct {
	use string // "client", "cluster", "monitor"
	transport.CertificateInfo
}

// certificates lists those in use, by listener.
func (d *Daemon) certificates() (list []usedCertificate) {
	add := func(use string, shown []transport.CertificateInfo) {
		for _, c := range shown {
			list = append(list, usedCertificate{use, c})
		}
	}
	if t := d.broker.Options().TLS; t != nil {
		add("client", t.Presented())
		if act := d.active.Load(); act != nil && act.cfg.Options.Monitor.HTTPSPort != 0 { // it shows the same
			add("monitor", t.Presented())
		}
	}
	if hub := d.cluster.hub; hub != nil {
		add("cluster", hub.Certificates())
	}
	return list
}

// presented lists the certificates in use, each once.
func (d *Daemon) presented() (list []transport.CertificateInfo) {
	for _, c := range d.certificates() {
		if !slices.Contains(list, c.CertificateInfo) {
			list = append(list, c.CertificateInfo)
		}
	}
	return list
}
