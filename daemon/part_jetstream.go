package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/store"
)

var (
	_ handsOn = (*jetStreamPart)(nil)
	_ checked = (*jetStreamPart)(nil)
	_ owes    = (*jetStreamPart)(nil)
	_ admits  = (*jetStreamPart)(nil)
	_ departs = (*jetStreamPart)(nil)
)

// jetStreamPart keeps streams, if the configuration says so. It starts before clients are let in, when there are
// accounts, and ends after the last client has gone.
type jetStreamPart struct {
	d   *Daemon
	log *logging.Logger
	run *jetstream.Server // nil: there are no streams

	before *section // what the process before has left; nil: nothing

	mu     sync.Mutex // guards claims, and that run takes them
	claims map[string]jetstream.Claim
	ready  bool // run takes claims
}

func newJetStreamPart(d *Daemon) *jetStreamPart {
	return &jetStreamPart{d: d, log: d.logs.Logger("jetstream")}
}

func (p *jetStreamPart) name() string { return "JetStream" }

func (p *jetStreamPart) start(cfg *config.Config) error {
	o := cfg.Options
	if !o.JetStream.Enabled {
		return nil
	}
	dir, lasts := storeDir(o, p.d.System.StateDir)
	if !lasts {
		p.log.Warn("Temporary storage directory used, data could be lost on system reboot: " + dir)
	} else if text := groundWarning(dir); text != "" {
		p.log.Warn("Storage directory " + text)
	}
	js := jetstream.New(p.d.broker, p.d.jetStreamOptions(o), p.log)
	p.mu.Lock()
	defer p.mu.Unlock()
	for account, c := range p.claims {
		js.Claim(account, c)
	}
	if err := p.inherit(js); err != nil {
		p.log.Event(logging.Warn, logging.HandoverFailed, "JetStream: "+err.Error(), logging.Err(err))
	}
	end := p.tellOfRecovery(js, tellPeriod)
	err := js.Start()
	end()
	if err != nil {
		js.Stop()
		return p.d.explainStorage(err, dir)
	}
	p.run, p.ready = js, true
	p.announce(o, dir)
	return nil
}

// announce says what is kept where, and what an acknowledgement means.
func (p *jetStreamPart) announce(o *config.Options, dir string) {
	opts := p.d.jetStreamOptions(o)
	p.log.Info("Starting JetStream")
	p.log.Info(fmt.Sprintf("  Max Memory:      %s", readable(opts.MaxMemory)))
	p.log.Info(fmt.Sprintf("  Max Storage:     %s", readable(opts.MaxStore)))
	p.log.Info(fmt.Sprintf("  Store Directory: %q", filepath.Join(dir, store.Folder)))
	if o.JetStream.Domain != "" {
		p.log.Info("  Domain:          " + o.JetStream.Domain)
	}
	if i := o.JetStream.SyncInterval; i > 0 {
		p.log.Warn(fmt.Sprintf("  Acknowledged messages are synced to the disk every %v only: a power cut may lose the last of them", i))
		return
	}
	p.log.Info("  Acknowledged messages are on the disk")
}

// readable is a number of bytes for people.
func readable(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " " + units[i]
}

// claimed is told of an account that came as a JWT, on whatever goroutine it came.
func (p *jetStreamPart) claimed(a *auth.SharedAccount) {
	var c jetstream.Claim
	if s := a.JetStream; s != nil {
		c = jetstream.Claim{Enabled: true, Limits: storageLimits(s)}
		for name, t := range s.Tiers {
			if c.Tiers == nil {
				c.Tiers = map[string]api.AccountLimits{}
			}
			c.Tiers[name] = storageLimits(&t)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claims == nil {
		p.claims = map[string]jetstream.Claim{}
	}
	p.claims[a.ID] = c
	if !p.ready {
		return
	}
	p.run.Claim(a.ID, c)
	if err := p.run.Update(); err != nil {
		p.log.Error("JetStream: " + err.Error())
	}
}

func storageLimits(s *auth.SharedStorage) api.AccountLimits {
	return api.AccountLimits{
		MaxMemory: s.Memory, MaxStore: s.Disk, MaxStreams: s.Streams, MaxConsumers: s.Consumers, MaxAckPending: s.Pending,
		MemoryMaxStreamBytes: s.MemoryStreamMax, StoreMaxStreamBytes: s.DiskStreamMax, MaxBytesRequired: s.SizeRequired,
	}
}

// server is what keeps streams; nil while nobody does. Any goroutine may ask.
func (p *jetStreamPart) server() *jetstream.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ready {
		return nil
	}
	return p.run
}

// prepare follows limits and accounts; the core has changed before.
func (p *jetStreamPart) prepare(old, new *config.Config) (*change, error) {
	if p.run == nil {
		return nil, nil
	}
	was, is := &old.Options.JetStream, &new.Options.JetStream
	for _, err := range []error{mayGrow("max_memory_store", was.MaxMemory, is.MaxMemory), mayGrow("max_file_store", was.MaxStore, is.MaxStore)} {
		if err != nil {
			return nil, err
		}
	}
	opts := p.d.jetStreamOptions(new.Options)
	return &change{commit: func() {
		if err := p.run.Configure(opts); err != nil {
			p.log.Error("JetStream: " + err.Error())
		}
	}}, nil
}

// mayGrow checks a change of how much may be stored: streams that are there may need what they have.
func mayGrow(name string, was, is int64) error {
	switch {
	case was == is || was >= 0 && is > was:
		return nil
	case was < 0:
		return fmt.Errorf("config reload not supported for jetstream dynamic max memory and store: %s was not set", name)
	case is < 0:
		return fmt.Errorf("config reload not supported for jetstream max memory and max store: %s is not set any more", name)
	}
	return fmt.Errorf("config reload not supported for decreasing jetstream max memory and store: %s from %d to %d bytes", name, was, is)
}

// section implements [handsOn]. What is in files the next process reads there, when this one has closed the storage; what is in
// memory, and who waits, it finds here.
func (p *jetStreamPart) section() string { return "jetstream" }

// settle implements [handsOn]: the next process has little to read then.
func (p *jetStreamPart) settle(context.Context) {
	if p.run != nil {
		p.run.Checkpoint()
	}
}

// leave implements [handsOn]. Messages go into memory of their own.
func (p *jetStreamPart) leave() (*section, error) {
	if p.run == nil {
		return nil, nil
	}
	fd, err := unix.MemfdCreate("nats-broker-streams", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "streams")
	state, err := p.run.Leave(f)
	if err != nil || state == nil {
		_ = f.Close()
		return nil, err
	}
	return &section{state: state, files: []*os.File{f}}, nil
}

// take implements [handsOn].
func (p *jetStreamPart) take(s *section) error {
	if s == nil {
		return nil
	}
	if len(s.files) != 1 {
		s.close()
		return fmt.Errorf("%d files", len(s.files))
	}
	p.before = &section{bytes.Clone(s.state), s.files}
	return nil
}

// inherit gives what the process before has left to the one that starts. Without it that one starts all the same.
func (p *jetStreamPart) inherit(js *jetstream.Server) error {
	if p.before == nil {
		return nil
	}
	f := p.before.files[0]
	info, err := f.Stat()
	if err == nil {
		err = js.Inherit(p.before.state, f, info.Size())
	}
	p.before.state = nil
	if err != nil {
		return fmt.Errorf("what the process before this one has left cannot be used: %w", err)
	}
	return nil
}

// admit implements [admits]: those who wait are there again, though nobody hears them yet.
func (p *jetStreamPart) admit() error {
	if p.run != nil {
		p.run.Resume()
	}
	if p.before != nil && p.run == nil {
		p.log.Warn("JetStream is off now: the streams in memory of the process before this one are lost")
	}
	if p.before != nil && (p.run == nil || p.run.Inherited() == 0) {
		p.before.close() // it is memory
		p.before = nil
	}
	return nil
}

// payUp implements [owes].
func (p *jetStreamPart) payUp(ctx context.Context) {
	if p.run != nil {
		p.run.Rest(ctx)
		p.run.Quiet(ctx)
	}
}

// farewell implements [departs]. Those who wait go on waiting where the next process takes over.
func (p *jetStreamPart) farewell() {
	if p.run != nil && !p.d.succession.frozen {
		p.run.Farewell()
	}
}

func (p *jetStreamPart) stop() {
	p.mu.Lock()
	p.ready = false
	p.mu.Unlock()
	if p.run != nil {
		end := p.tellOfEnd(p.run, tellPeriod)
		p.run.Stop()
		end()
	}
	if p.before != nil {
		p.before.close()
	}
}
