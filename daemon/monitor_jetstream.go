package daemon

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// jetStreamSource gives the monitor its view of streams.
type jetStreamSource struct{ d *Daemon }

// Wanted implements monitor.JetStreamSource.
func (s jetStreamSource) Wanted() bool { return s.d.active.Load().cfg.Options.JetStream.Enabled }

// Server implements monitor.JetStreamSource.
func (s jetStreamSource) Server() *monitor.JetStreamServer {
	js := s.d.jetStream.server()
	if js == nil {
		return nil
	}
	o := js.Options()
	stats := jetStreamStats(js.Usage())
	memory, most := js.Memory()
	stats.API.Level = api.Level
	return &monitor.JetStreamServer{
		Config: monitor.JetStreamConfig{
			MaxMemory: o.MaxMemory, MaxStorage: o.MaxStore, StoreDir: js.Folder(), SyncInterval: shownInterval(o.SyncInterval), SyncAlways: o.SyncInterval == 0,
			Domain: o.Domain, CompressOK: true, Strict: o.Strict,
		},
		Limits: monitor.JetStreamLimits{
			MaxRequestBatch: o.MaxRequestBatch, MaxAckPending: o.MaxAckPending, Duplicates: o.MaxWindow, MaxConsumers: o.MaxConsumers,
			BatchPerStream: o.Batches.PerStream, BatchTotal: o.Batches.Total, BatchMsgs: o.Batches.Msgs, BatchTimeout: o.Batches.Idle,
		},
		Stats: stats, Refused: js.Refused(), Memory: memory, MemoryLimit: most,
	}
}

// monitoredStream is a stream as the monitor sees it.
type monitoredStream struct{ *jetstream.Stream }

// Figures implements monitor.Stream.
func (s monitoredStream) Figures() monitor.StreamFigures {
	f := s.Stream.Figures()
	return monitor.StreamFigures{Msgs: f.Msgs, Bytes: f.Bytes, First: f.First, Last: f.Last, Subjects: f.Subjects, Consumers: f.Consumers, Lost: f.Lost}
}

// shownInterval is the interval that is shown where what is stored is synced at once: nats-server shows that of a timer that it has
// beside, and its tools show neither if there is none.
func shownInterval(d time.Duration) time.Duration {
	if d == 0 {
		return 2 * time.Minute
	}
	return d
}

func jetStreamStats(u jetstream.Usage) monitor.JetStreamStats {
	return monitor.JetStreamStats{
		Memory: u.Memory, Storage: u.Store, ReservedMemory: u.ReservedMemory, ReservedStorage: u.ReservedStore, Accounts: u.Accounts,
		API: monitor.JetStreamAPI{Total: u.Requests, Errors: u.Errors, Inflight: u.Waiting},
	}
}

// Accounts implements monitor.JetStreamSource.
func (s jetStreamSource) Accounts() (list []monitor.JetStreamAccount) {
	js := s.d.jetStream.server()
	if js == nil {
		return nil
	}
	for _, r := range js.Accounts() {
		a := monitor.JetStreamAccount{ID: r.Name, Name: s.d.accountName(r.Name), Stats: jetStreamStats(r.Usage)}
		// What an account has reserved is its limits, as nats-server shows it.
		a.Stats.ReservedMemory, a.Stats.ReservedStorage = uint64(r.Limits.MaxMemory), uint64(r.Limits.MaxStore)
		for _, st := range r.Streams {
			a.Streams = append(a.Streams, monitoredStream{st})
		}
		list = append(list, a)
	}
	return list
}

// Storage implements monitor.JetStreamSource.
func (s jetStreamSource) Storage() *monitor.Storage {
	js := s.d.jetStream.server()
	if js == nil {
		return nil
	}
	r, ok := js.Storage()
	if !ok {
		return nil
	}
	return &monitor.Storage{
		Failed: r.Failed, Full: r.Full, Free: r.Free, Need: r.Need, Stuck: r.Stuck,
		Commits: r.Journal.Commits, CommitBytes: r.Journal.Bytes, CommitTime: r.Journal.Took, Written: r.Written, Stored: r.Stored,
		Scrubbed: r.Scrubbed, ScrubEnd: r.ScrubEnd,
	}
}
