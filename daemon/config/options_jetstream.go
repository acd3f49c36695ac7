package config

import "time"

// JetStream is the jetstream block: whether streams are kept, where, and what bounds them.
type JetStream struct {
	Enabled bool
	Strict  bool
	// StoreDir is the directory of the storage, from the block or store_dir at the top; empty: below the system's directory
	// for temporary files.
	StoreDir string
	// NewStore begins with an empty storage where there is one of nats-server.
	NewStore bool
	// SyncInterval is how often what is stored is synced; 0: before it is acknowledged.
	SyncInterval time.Duration
	// MaxMemory and MaxStore bound streams in memory and in files, in bytes; -1: by what the machine has.
	MaxMemory, MaxStore int64
	Domain              string
	// RequestQueueLimit and InfoQueueLimit are how many requests may wait in an account; InfoQueueLimit 0: the same.
	RequestQueueLimit, InfoQueueLimit int
	// MaxBufferedSize and MaxBufferedMsgs bound what of a stream waits to be stored.
	MaxBufferedSize int64
	MaxBufferedMsgs int
	Limits          JetStreamLimits
}

// JetStreamLimits bound what streams may ask for.
type JetStreamLimits struct {
	// DuplicateWindow is the longest one of a stream; 0: any.
	DuplicateWindow time.Duration
	// MaxAckPending and MaxRequestBatch are what a consumer may ask for; 0: anything.
	MaxAckPending, MaxRequestBatch int
	// DefaultMaxConsumers is how many consumers a stream may have, where neither it nor the account says a number; -1: any.
	DefaultMaxConsumers int
	Batch               JetStreamBatches
}

// JetStreamBatches bound the batches of publishers. 0: as nats-server does.
type JetStreamBatches struct {
	MaxInflightPerStream, MaxInflightTotal int           // open ones
	MaxMsgs                                int           // of one that is atomic
	Timeout                                time.Duration // for the next message of one
}

// define switches JetStream on: a block says that it is wanted.
func (j *JetStream) define() {
	*j = JetStream{
		Enabled: true, Strict: true, MaxMemory: -1, MaxStore: -1, RequestQueueLimit: 10_000, MaxBufferedSize: 128 << 20, MaxBufferedMsgs: 100_000,
		Limits: JetStreamLimits{DefaultMaxConsumers: 1000},
	}
}

// turn switches it on or off in one word.
func (j *JetStream) turn(on bool) {
	j.define()
	j.Enabled = on
}

// AccountJetStream is what an account may store; -1: no limit.
type AccountJetStream struct {
	Enabled              bool
	MaxMemory, MaxStore  int64
	MaxStreams           int
	MaxConsumers         int
	MaxAckPending        int
	MaxBytesRequired     bool
	MemoryMaxStreamBytes int64
	StoreMaxStreamBytes  int64
}

func (j *AccountJetStream) define() {
	*j = AccountJetStream{
		Enabled: true, MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1,
		MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}
}

func (j *AccountJetStream) turn(on bool) {
	if *j = (AccountJetStream{}); on {
		j.define()
	}
}
