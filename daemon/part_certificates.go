package daemon

import (
	"crypto/tls"
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
// one comes into use, once a day, and when one of those in use comes to that point or to
// its end, which may be hours after it was made.
type certificatePart struct {
	log *logging.Logger
	// presented lists the certificates in use.
	presented func() []transport.CertificateInfo

	mu     sync.Mutex
	warned map[transport.CertificateInfo]time.Time // when; guarded by mu

	again chan time.Duration // of a look after a commit: when the next is due
	end   chan struct{}
	done  sync.WaitGroup
}

const (
	certificateWarning = 30 * 24 * time.Hour // before the end, at most
	certificateShare   = 5                   // and when this part of its lifetime is left
	certificateLooks   = 24 * time.Hour
	certificateSoonest = time.Minute // between looks, whatever ends
)

func (p *certificatePart) name() string { return "certificates" }

func (p *certificatePart) start(*config.Config) error {
	next := p.look(time.Now())
	end, again := make(chan struct{}), make(chan time.Duration)
	p.end, p.again = end, again
	p.done.Go(func() { // ends with stop
		t := time.NewTimer(next)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				t.Reset(p.look(time.Now()))
			case next := <-again:
				t.Reset(next)
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
	return &change{commit: func() {
		next := p.look(time.Now())
		if p.end != nil {
			p.again <- next
		}
	}}, nil
}

func (p *certificatePart) stop() {
	if p.end != nil {
		close(p.end)
		p.done.Wait()
		p.end = nil
	}
}

// look writes what there is to say of the certificates at a time, of each once a day and when it has expired, and tells
// when there may be something to say next.
func (p *certificatePart) look(now time.Time) (next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.warned
	p.warned = make(map[transport.CertificateInfo]time.Time)
	next = certificateLooks
	for _, c := range p.presented() {
		left := c.NotAfter.Sub(now)
		early := min(certificateWarning, c.NotAfter.Sub(c.NotBefore)/certificateShare)
		if left > early {
			next = min(next, left-early)
			continue
		}
		if left > 0 {
			next = min(next, left)
		}
		at, was := before[c]
		if was && now.Sub(at) < certificateLooks-certificateSoonest && (left > 0 || !at.Before(c.NotAfter)) {
			p.warned[c] = at
			next = min(next, certificateLooks-now.Sub(at))
			continue
		}
		p.warned[c] = now
		p.warn(c, left)
	}
	return max(next, certificateSoonest)
}

// warn says that a certificate expires in some time, or has expired.
func (p *certificatePart) warn(c transport.CertificateInfo, left time.Duration) {
	day := c.NotAfter.UTC().Format(time.RFC3339)
	fields := []logging.Field{logging.String(logging.FieldCertificate, c.File), logging.String(logging.FieldExpires, day)}
	if left <= 0 {
		p.log.Event(logging.Error, logging.CertificateExpired, fmt.Sprintf("Certificate %s (%s) expired on %s", c.File, c.Subject, day), fields...)
		return
	}
	in := fmt.Sprintf("%d days", int(math.Ceil(left.Hours()/24)))
	if left < 2*24*time.Hour {
		in = left.Round(time.Minute).String()
	}
	p.log.Event(logging.Warn, logging.CertificateExpiring, fmt.Sprintf("Certificate %s (%s) expires on %s, in %s", c.File, c.Subject, day, in), fields...)
}

// usedCertificate is a certificate and to whom it is shown.
type usedCertificate struct {
	use string // "client", "cluster", "monitor"
	transport.CertificateInfo
}

// tlsInUse lists the material in use, each kind of listener's once.
func (d *Daemon) tlsInUse() (list []usedTLS) {
	for _, p := range having[presents](d) {
		list = append(list, p.material()...)
	}
	return list
}

// certificates lists those in use, by listener.
func (d *Daemon) certificates() (list []usedCertificate) {
	for _, t := range d.tlsInUse() {
		for _, c := range t.Presented() {
			list = append(list, usedCertificate{t.use, c})
		}
	}
	return list
}

// reportUnusable says of each pair in use that it cannot be loaded from its
// files any more. It is called after a refused reload: the files may be why.
func (d *Daemon) reportUnusable() {
	seen := make(map[transport.KeyPair]bool)
	for _, t := range d.tlsInUse() {
		for _, pair := range t.Options().Certificates {
			if seen[pair] {
				continue
			}
			seen[pair] = true
			if _, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile); err != nil {
				d.log.Event(logging.Error, logging.CertificateReloadRefused,
					fmt.Sprintf("Certificate %s cannot be used as it is now, the one it replaces stays in use: %v", pair.CertFile, err),
					logging.String(logging.FieldCertificate, pair.CertFile), logging.Err(err))
			}
		}
	}
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
