package config

import "time"

// jetStreamRows are the options of JetStream.
func jetStreamRows() []*Option {
	return []*Option{
		{Name: "jetstream", Kind: Switch, Class: Restart, Feature: Streams, Doc: "JetStream, streams and consumers: nats-broker-jetstream(7). Refused on a server of a cluster.", fields: jetStreamBlock,
			bind: field(func(o *Options) *JetStream { return &o.JetStream })},
		{Name: "store_dir", Aliases: []string{"storedir"}, Kind: Path, Class: Restart, Feature: Streams, Doc: "The same as store_dir in jetstream, where it may stand instead.",
			bind: field(func(o *Options) *string { return &o.StoreDir })},
		{Name: "default_js_domain", Kind: StringMap, Feature: LeafDomains, Doc: "JetStream domains of accounts."},
	}
}

func jetStreamBlock() []*Option {
	return []*Option{
		{Name: "enabled", Aliases: []string{"enable"}, Kind: Boolean, Class: Restart, Doc: "Switch it on; a block that does not say is on.",
			bind: field(func(j *JetStream) *bool { return &j.Enabled })},
		{Name: "strict", Kind: Boolean, Default: "true", Doc: "Refuse API requests that have fields nobody knows; false ignores those fields.",
			bind: field(func(j *JetStream) *bool { return &j.Strict })},
		{Name: "store_dir", Aliases: []string{"store", "storedir"}, Kind: Path, Class: Restart,
			Doc:  "Directory of the storage; the streams are in nats-broker below it. Under systemd the state directory of the service by default.",
			bind: field(func(j *JetStream) *string { return &j.StoreDir })},
		{Name: "new_store", Kind: Boolean, Default: "false", Class: Restart, Since: sinceOurs,
			Doc:  "Begin with an empty storage where there is one of nats-server, which is left alone; without it that is an error.",
			bind: field(func(j *JetStream) *bool { return &j.NewStore })},
		{Name: "sync_interval", Aliases: []string{"sync"}, Kind: DurationOr, Values: []string{"always"}, Class: Restart,
			Doc:  "How often data is synced to the disk. Without it, and with always, data is synced before it is acknowledged.",
			bind: field(func(j *JetStream) *time.Duration { return &j.SyncInterval })},
		{Name: "max_memory_store", Aliases: []string{"max_mem_store", "max_mem"}, Kind: Size64,
			Doc:  "Memory for streams; 0 is none, by default three quarters of what there is. A reload may raise it only.",
			bind: field(func(j *JetStream) *int64 { return &j.MaxMemory })},
		{Name: "max_file_store", Aliases: []string{"max_file"}, Kind: Size64,
			Doc:  "Storage for streams; by default three quarters of what is free on the disk. A reload may raise it only.",
			bind: field(func(j *JetStream) *int64 { return &j.MaxStore })},
		{Name: "domain", Kind: String, Class: Restart, Doc: "JetStream domain: one token.", check: domainName,
			bind: field(func(j *JetStream) *string { return &j.Domain })},
		{Name: "encryption_key", Aliases: []string{"key", "ek"}, Kind: String, Secret: true, Feature: Encryption, Doc: "Key the storage is encrypted with."},
		{Name: "prev_encryption_key", Aliases: []string{"prev_key", "prev_ek"}, Kind: String, Secret: true, Feature: Encryption, Doc: "Key it was encrypted with before."},
		{Name: "cipher", Kind: String, Feature: Encryption, Doc: "chacha or aes."},
		{Name: "extension_hint", Kind: String, Feature: LeafDomains, Doc: "Whether the domain extends another."},
		{Name: "limits", Kind: Block, Doc: "Limits of the server.", fields: jetStreamLimits,
			bind: field(func(j *JetStream) *JetStreamLimits { return &j.Limits })},
		{Name: "tpm", Kind: Block, Feature: Encryption, Doc: "Encryption key from a TPM.", fields: tpmRows},
		{Name: "unique_tag", Kind: String, Feature: Replication, Doc: "Tag by which replicas are spread."},
		{Name: "max_outstanding_catchup", Kind: Size64, Feature: Replication, Doc: "Bytes on the way to replicas that catch up."},
		{Name: "max_buffered_size", Kind: Size64, Default: "134217728", Doc: "Bytes of a stream that may wait to be stored.",
			bind: field(func(j *JetStream) *int64 { return &j.MaxBufferedSize })},
		{Name: "max_buffered_msgs", Kind: Integer, Default: "100000", Doc: "Messages of a stream that may wait to be stored.",
			bind: field(func(j *JetStream) *int { return &j.MaxBufferedMsgs })},
		{Name: "request_queue_limit", Kind: Integer, Default: "10000", Doc: "Requests of an account that may wait; beyond, all are dropped.",
			bind: field(func(j *JetStream) *int { return &j.RequestQueueLimit })},
		{Name: "info_queue_limit", Kind: Integer, Doc: "The same for requests that change nothing; request_queue_limit by default.",
			bind: field(func(j *JetStream) *int { return &j.InfoQueueLimit })},
		{Name: "meta_compact", Kind: Integer, Feature: Replication, Doc: "Entries after which the meta log is compacted."},
		{Name: "meta_compact_size", Kind: Size64, Feature: Replication, Doc: "Size after which the meta log is compacted."},
		{Name: "meta_compact_sync", Kind: Boolean, Feature: Replication, Doc: "Compact in place."},
		{Name: "max_concurrent_io", Kind: Integer, within: &bounds{4, 8192}, Feature: Replication, Doc: "Disk operations at one time."},
	}
}

func jetStreamLimits() []*Option {
	return []*Option{
		{Name: "max_ack_pending", Kind: Integer, Doc: "Unacknowledged messages that a consumer may allow; any number by default.",
			bind: field(func(j *JetStreamLimits) *int { return &j.MaxAckPending })},
		{Name: "max_ha_assets", Kind: Integer, Feature: Replication, Doc: "Replicated streams and consumers."},
		{Name: "max_request_batch", Kind: Integer, Doc: "Messages that one request of a pull consumer may ask for; any number by default.",
			bind: field(func(j *JetStreamLimits) *int { return &j.MaxRequestBatch })},
		{Name: "default_max_consumers", Kind: Integer, Default: "1000", Doc: "Consumers of a stream, where neither it nor the account says a number; -1 is unlimited.",
			bind: field(func(j *JetStreamLimits) *int { return &j.DefaultMaxConsumers })},
		{Name: "duplicate_window", Kind: Span, Doc: "Longest duplicate window that a stream may ask for; any by default.",
			bind: field(func(j *JetStreamLimits) *time.Duration { return &j.DuplicateWindow })},
		{Name: "batch", Kind: Block, Doc: "Limits of batches of publishers.", fields: jetStreamBatches,
			bind: field(func(j *JetStreamLimits) *JetStreamBatches { return &j.Batch })},
	}
}

func jetStreamBatches() []*Option {
	return []*Option{
		{Name: "max_inflight_per_stream", Kind: Integer, Doc: "Open batches of a stream, of each kind: 50 atomic ones and 1000 fast ones by default.",
			bind: field(func(b *JetStreamBatches) *int { return &b.MaxInflightPerStream })},
		{Name: "max_inflight_total", Kind: Integer, Doc: "The same of the server: 1000 and 50000 by default.",
			bind: field(func(b *JetStreamBatches) *int { return &b.MaxInflightTotal })},
		{Name: "max_msgs", Kind: Integer, Doc: "Messages of an atomic batch; 1000 by default.",
			bind: field(func(b *JetStreamBatches) *int { return &b.MaxMsgs })},
		{Name: "timeout", Kind: Span, Doc: "How long a batch waits for its next message; 10s by default.",
			bind: field(func(b *JetStreamBatches) *time.Duration { return &b.Timeout })},
	}
}

func tpmRows() []*Option {
	return []*Option{
		{Name: "keys_file", Kind: Path, Doc: "File of the sealed keys."},
		{Name: "encryption_password", Kind: String, Secret: true, Doc: "Password of the key."},
		{Name: "srk_password", Kind: String, Secret: true, Doc: "Password of the storage root key."},
		{Name: "pcr", Kind: Integer, Doc: "Register the key is bound to."},
		{Name: "cipher", Kind: String, Doc: "chacha or aes."},
	}
}

// accountJetStreamRows bound the JetStream of an account.
func accountJetStreamRows() []*Option {
	return []*Option{
		{Name: "max_memory", Aliases: []string{"max_mem", "mem", "memory"}, Kind: Size, Doc: "Bytes of streams in memory; -1 is unlimited, here and below.",
			bind: field(func(j *AccountJetStream) *int64 { return &j.MaxMemory })},
		{Name: "max_store", Aliases: []string{"max_file", "max_disk", "store", "disk"}, Kind: Size, Doc: "Bytes of streams in files.",
			bind: field(func(j *AccountJetStream) *int64 { return &j.MaxStore })},
		{Name: "max_streams", Aliases: []string{"streams"}, Kind: Integer, Doc: "Number of streams.",
			bind: field(func(j *AccountJetStream) *int { return &j.MaxStreams })},
		{Name: "max_consumers", Aliases: []string{"consumers"}, Kind: Integer, Doc: "Number of consumers of a stream.",
			bind: field(func(j *AccountJetStream) *int { return &j.MaxConsumers })},
		{Name: "max_bytes_required", Aliases: []string{"max_stream_bytes", "max_bytes"}, Kind: Boolean, Doc: "Streams must say how large they may grow.",
			bind: field(func(j *AccountJetStream) *bool { return &j.MaxBytesRequired })},
		{Name: "mem_max_stream_bytes", Aliases: []string{"memory_max_stream_bytes"}, Kind: Size, Doc: "Largest memory stream.",
			bind: field(func(j *AccountJetStream) *int64 { return &j.MemoryMaxStreamBytes })},
		{Name: "disk_max_stream_bytes", Aliases: []string{"store_max_stream_bytes"}, Kind: Size, Doc: "Largest stored stream.",
			bind: field(func(j *AccountJetStream) *int64 { return &j.StoreMaxStreamBytes })},
		{Name: "max_ack_pending", Kind: Integer, Doc: "Unacknowledged messages of a consumer.",
			bind: field(func(j *AccountJetStream) *int { return &j.MaxAckPending })},
		{Name: "cluster_traffic", Kind: Word, Values: []string{"system", "owner", ""}, Feature: Replication,
			Doc: "Account that carries replication: system or owner."},
	}
}
