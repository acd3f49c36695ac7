package monitor

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// JetStreamSource tells of streams. Its methods do not wait for a disk, except for [Stream.Report] and
// [Stream.EachConsumer], which may.
type JetStreamSource interface {
	// Wanted reports whether the configuration has JetStream.
	Wanted() bool
	// Server describes the server's; nil while it does not run.
	Server() *JetStreamServer
	// Accounts returns the accounts that have it, by name.
	Accounts() []JetStreamAccount
	// Storage tells how the disk is; nil while there is none.
	Storage() *Storage
}

// JetStreamServer is what a server says of its JetStream.
type JetStreamServer struct {
	Config JetStreamConfig
	Limits JetStreamLimits
	Stats  JetStreamStats

	Refused     uint64            // messages that were not taken and nobody was told
	Memory      map[string]uint64 // bytes that the store keeps in memory, by what they are for
	MemoryLimit uint64            // 0: none
}

// JetStreamConfig is how it is configured. Sizes are in bytes.
type JetStreamConfig struct {
	MaxMemory    int64         `json:"max_memory"`
	MaxStorage   int64         `json:"max_storage"`
	StoreDir     string        `json:"store_dir,omitempty"`
	SyncInterval time.Duration `json:"sync_interval,omitempty"`
	SyncAlways   bool          `json:"sync_always,omitempty"` // what is acknowledged is on the disk
	Domain       string        `json:"domain,omitempty"`
	CompressOK   bool          `json:"compress_ok,omitempty"`
	UniqueTag    string        `json:"unique_tag,omitempty"`
	Strict       bool          `json:"strict,omitempty"`
}

// JetStreamLimits bound what clients may ask for.
type JetStreamLimits struct {
	MaxRequestBatch int           `json:"max_request_batch,omitempty"`
	MaxAckPending   int           `json:"max_ack_pending,omitempty"`
	MaxHAAssets     int           `json:"max_ha_assets,omitempty"`
	Duplicates      time.Duration `json:"max_duplicate_window,omitempty"`
	BatchPerStream  int           `json:"max_batch_inflight_per_stream,omitempty"`
	BatchTotal      int           `json:"max_batch_inflight_total,omitempty"`
	BatchMsgs       int           `json:"max_batch_size,omitempty"`
	BatchTimeout    time.Duration `json:"max_batch_timeout,omitempty"`
	MaxConsumers    int           `json:"default_max_consumers,omitempty"` // -1: any
}

// JetStreamStats is what is used. An account's have no level and no accounts.
type JetStreamStats struct {
	Memory          uint64       `json:"memory"`
	Storage         uint64       `json:"storage"`
	ReservedMemory  uint64       `json:"reserved_memory"` // of an account: its limit, all bits set if there is none
	ReservedStorage uint64       `json:"reserved_storage"`
	Accounts        int          `json:"accounts"`
	HAAssets        int          `json:"ha_assets"`
	API             JetStreamAPI `json:"api"`
}

// JetStreamAPI counts requests.
type JetStreamAPI struct {
	Level    int    `json:"level"`
	Total    uint64 `json:"total"`
	Errors   uint64 `json:"errors"`
	Inflight uint64 `json:"inflight,omitempty"`
}

// JetStreamAccount is an account that has JetStream.
type JetStreamAccount struct {
	ID, Name string // Name is for people
	Stats    JetStreamStats
	Streams  []Stream // by name
}

// Stream is one stream.
type Stream interface {
	Name() string
	// Report is the stream as it is. What it refers to is not to be changed.
	Report() *api.StreamInfo
	// EachConsumer calls f for each consumer, by name. unacked is how long it has waited for the acknowledgement of its
	// oldest delivery; 0: it waits for none.
	EachConsumer(f func(c *api.ConsumerInfo, unacked time.Duration))
	// Figures are what can be said without waiting for a disk.
	Figures() StreamFigures
	HasConsumer(name string) bool
	// Failure is why the stream takes nothing any more; nil: it does.
	Failure() error
	// Delay is why what it has taken is not stored for now; nil: it is.
	Delay() error
}

// StreamFigures are the figures of a stream.
type StreamFigures struct {
	Msgs, Bytes         uint64
	First, Last         uint64
	Subjects, Consumers int
	Lost                uint64 // messages that were stored and cannot be read
}

// Storage is how the disk is that streams are on.
type Storage struct {
	Failed error         // nothing can be stored any more
	Full   bool          // messages are refused for want of room
	Free   uint64        // bytes, when it was last looked
	Need   uint64        // bytes that must be free for messages to be taken
	Stuck  time.Duration // how long a write that does not come to an end has taken; 0: there is none

	Commits, CommitBytes uint64 // of the journal, since the start
	CommitTime           time.Duration
	Written              map[string]uint64 // bytes, by the kind of file
	Stored               uint64            // bytes of messages that were taken

	Scrubbed uint64    // bytes that scrubs have read
	ScrubEnd time.Time // when one came to its end; zero: none has since the start
}

// JetStreamVarz is what /varz shows; empty when it is off.
type JetStreamVarz struct {
	Config *JetStreamConfig `json:"config,omitempty"`
	Stats  *JetStreamStats  `json:"stats,omitempty"`
	Limits *JetStreamLimits `json:"limits,omitempty"`
}

// JetStream returns what /varz and the statistics of the system account show of it; nil when it is off.
func (r *Reporter) JetStream() *JetStreamVarz {
	s := r.jetStream()
	if s == nil {
		return nil
	}
	return &JetStreamVarz{Config: &s.Config, Stats: &s.Stats, Limits: &s.Limits}
}

// jetStream describes the server's; nil when it is off.
func (r *Reporter) jetStream() *JetStreamServer {
	if r.src.JetStream == nil {
		return nil
	}
	return r.src.JetStream.Server()
}
