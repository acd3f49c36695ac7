package daemon

import (
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// storeDir is the directory of the storage, and whether it lasts: the one that was given, or what the service manager has made
// for this instance, state; without either one for temporary files.
func storeDir(o *config.Options, state string) (dir string, lasts bool) {
	if o.JetStream.StoreDir != "" {
		return o.JetStream.StoreDir, true
	}
	if state != "" {
		return state, true
	}
	return filepath.Join(os.TempDir(), "nats"), false
}

// jetStreamDomain is the domain that clients are told of.
func jetStreamDomain(o *config.Options) string {
	if !o.JetStream.Enabled {
		return ""
	}
	return o.JetStream.Domain
}

// jetStreamOptions translates the configuration for JetStream.
func (d *Daemon) jetStreamOptions(o *config.Options) jetstream.Options {
	j := &o.JetStream
	dir, _ := storeDir(o, d.System.StateDir)
	out := jetstream.Options{
		StoreDir: dir, Empty: j.NewStore, HowEmpty: "set jetstream.new_store to true", MaxMemory: j.MaxMemory, MaxStore: j.MaxStore, SyncInterval: j.SyncInterval,
		Domain: j.Domain, Strict: j.Strict, LongReplies: featureFlags(o)["js_ack_fc_v2"], MaxWindow: j.Limits.DuplicateWindow, MaxBuffered: j.MaxBufferedMsgs,
		MaxBufferedBy: j.MaxBufferedSize, Requests: j.RequestQueueLimit, Infos: j.InfoQueueLimit,
		MaxAckPending: j.Limits.MaxAckPending, MaxRequestBatch: j.Limits.MaxRequestBatch, MaxConsumers: j.Limits.DefaultMaxConsumers,
		Batches: jetstream.BatchLimits{PerStream: j.Limits.Batch.MaxInflightPerStream, Total: j.Limits.Batch.MaxInflightTotal,
			Msgs: j.Limits.Batch.MaxMsgs, Idle: j.Limits.Batch.Timeout},
		Accounts: map[string]api.AccountLimits{},
	}
	// What somebody has allowed to streams in memory is theirs, also where the budget would be less.
	out.Budget = d.memoryForStreams()
	if out.MaxMemory < 0 {
		out.MaxMemory = out.Budget
	} else if out.Budget > 0 {
		out.Budget = max(out.Budget, out.MaxMemory/3*4)
	}
	if out.MaxStore < 0 {
		out.MaxStore = diskForStreams(dir)
	}
	if len(o.Accounts) == 0 && !o.Operator.Enabled() {
		out.Accounts[broker.GlobalAccount] = jetstream.NoLimits()
	}
	for i := range o.Accounts {
		if a := &o.Accounts[i]; a.JetStream.Enabled {
			out.Accounts[a.Name] = accountLimits(&a.JetStream)
		}
	}
	return out
}

func accountLimits(j *config.AccountJetStream) api.AccountLimits {
	return api.AccountLimits{
		MaxMemory: j.MaxMemory, MaxStore: j.MaxStore, MaxStreams: j.MaxStreams, MaxConsumers: j.MaxConsumers, MaxAckPending: j.MaxAckPending,
		MemoryMaxStreamBytes: j.MemoryMaxStreamBytes, StoreMaxStreamBytes: j.StoreMaxStreamBytes, MaxBytesRequired: j.MaxBytesRequired,
	}
}

// memoryForStreams is three quarters of the memory there is, or of the runtime's limit if that is less; 0: not known.
func (d *Daemon) memoryForStreams() int64 {
	most := int64(math.MaxInt64)
	if d.limits.memory > 0 {
		most = d.limits.memory
	}
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) == nil {
		most = min(most, int64(i.Totalram)*int64(i.Unit))
	}
	if most == math.MaxInt64 {
		return 0
	}
	return budget.Share(most)
}

// diskForStreams is three quarters of what is free on the disk that a directory is, or will be, on.
func diskForStreams(dir string) int64 {
	var s unix.Statfs_t
	for unix.Statfs(dir, &s) != nil {
		up := filepath.Dir(dir)
		if up == dir {
			return 0
		}
		dir = up
	}
	return int64(s.Bavail) * s.Bsize / 4 * 3
}
