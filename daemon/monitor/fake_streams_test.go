package monitor

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// fakeStreams are made-up streams. A stream has as many kilobytes as its number says.
type fakeStreams struct {
	streams, consumers int  // of the one account that has them
	off, unwanted      bool // not running; not configured
	storage            Storage
	failed, delayed    map[string]error
	mirrored           bool          // each stream is a mirror, and has one
	hang               chan struct{} // consumers do not answer before it is closed; nil: at once
}

func newFakeStreams(streams, consumers int) *fakeStreams {
	return &fakeStreams{streams: streams, consumers: consumers, storage: Storage{
		Free: 100 << 30, Need: 1 << 30, Commits: 40, CommitBytes: 40 << 10, CommitTime: 2500 * time.Millisecond, Stored: 30 << 10,
		Written: map[string]uint64{"journal": 40 << 10, "segment": 35 << 10}, Scrubbed: 8192, ScrubEnd: time.Unix(1_700_000_000, 0),
	}}
}

func (f *fakeStreams) Wanted() bool { return !f.unwanted }

func (f *fakeStreams) Server() *JetStreamServer {
	if f.off || f.unwanted {
		return nil
	}
	return &JetStreamServer{
		Config: JetStreamConfig{MaxMemory: 1 << 30, MaxStorage: 10 << 30, StoreDir: "/var/lib/nats-broker/nats-broker", SyncAlways: true, CompressOK: true, Strict: true, Domain: "hub"},
		Limits: JetStreamLimits{MaxConsumers: 1000},
		Stats:  JetStreamStats{Storage: 30 << 10, Accounts: 1, API: JetStreamAPI{Level: 5, Total: 12, Errors: 2}}, Refused: 7, Memory: map[string]uint64{"tails": 4096, "ids": 100}, MemoryLimit: 1 << 30,
	}
}

func (f *fakeStreams) Accounts() []JetStreamAccount {
	a := JetStreamAccount{ID: "TEAM0", Name: "Team 0", Stats: JetStreamStats{Storage: 30 << 10}}
	for i := range f.streams {
		a.Streams = append(a.Streams, fakeStream{f, i})
	}
	return []JetStreamAccount{a}
}

func (f *fakeStreams) Storage() *Storage {
	s := f.storage
	return &s
}

type fakeStream struct {
	f *fakeStreams
	n int
}

func (s fakeStream) Name() string { return fmt.Sprintf("S%d", s.n) }

func (s fakeStream) Report() *api.StreamInfo {
	g := s.Figures()
	if s.f.mirrored {
		return &api.StreamInfo{Config: &api.StreamConfig{Name: s.Name()}, Mirror: &api.SourceInfo{Name: "O", Lag: 5, Active: time.Second}}
	}
	return &api.StreamInfo{Config: &api.StreamConfig{Name: s.Name()}, State: api.StreamState{Msgs: g.Msgs, Bytes: g.Bytes, Consumers: g.Consumers}}
}

func (s fakeStream) Figures() StreamFigures {
	return StreamFigures{Msgs: uint64(s.n), Bytes: uint64(s.n) << 10, First: 1, Last: uint64(s.n), Subjects: 2, Consumers: s.f.consumers, Lost: uint64(s.n % 2)}
}

func (s fakeStream) EachConsumer(visit func(*api.ConsumerInfo, time.Duration)) {
	if s.f.hang != nil {
		<-s.f.hang
	}
	if s.f.mirrored {
		visit(&api.ConsumerInfo{Stream: s.Name(), Name: "JS_MIRROR_x", Config: &api.ConsumerConfig{Direct: true}}, 0)
	}
	for i := range s.f.consumers {
		visit(&api.ConsumerInfo{Stream: s.Name(), Name: fmt.Sprintf("c%d", i), NumPending: uint64(s.n), NumAckPending: i,
			Config: &api.ConsumerConfig{Description: "made up"}}, time.Duration(i)*time.Second)
	}
}

func (s fakeStream) HasConsumer(name string) bool { return name == "c0" && s.f.consumers > 0 }

func (s fakeStream) Failure() error { return s.f.failed[s.Name()] }
func (s fakeStream) Delay() error   { return s.f.delayed[s.Name()] }

var errDisk = errors.New("input/output error")
