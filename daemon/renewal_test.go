package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Half a pair is waited for, but not for ever.
func TestHalfRenewedPairIsJudgedAtLast(t *testing.T) {
	pair, next := certtest.SelfSigned(t, "old"), certtest.SelfSigned(t, "new")
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "tls { cert_file: %q, key_file: %q }", pair.CertFile, pair.KeyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func() (*active, error) {
		cfg, _, err := config.Load(config.LoadRequest{File: file})
		return &active{cfg: cfg}, err
	}
	old, err := load()
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{log: logging.Discard()}
	d.active.Store(old)
	if d.awaitsPair(old, nil) {
		t.Error("a pair is waited for")
	}
	if err := os.Rename(next.CertFile, pair.CertFile); err != nil {
		t.Fatal(err)
	}
	half, err := load()
	if err == nil {
		t.Fatal("half a pair is accepted")
	}
	if !d.awaitsPair(half, err) || d.renewal == nil {
		t.Fatal("half a pair is not waited for")
	}
	d.renewal.until = time.Now()
	if d.awaitsPair(half, err) {
		t.Error("it is waited for although it has been long enough")
	}
	d.renewal.tick.Stop()
}
