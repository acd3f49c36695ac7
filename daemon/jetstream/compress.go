package jetstream

import (
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
)

// compress has a log write its pages as a configuration wants them. A store with such pages says so, before there is one, so
// that a version that cannot read them leaves it alone. What is in files already stays as it is.
func (f *files) compress(l *segment.Log, c *api.StreamConfig) error {
	if c.Compression == api.NoCompression {
		l.SetCompress(false)
		return nil
	}
	if err := f.dir.Raise(store.FormatPacked); err != nil {
		return err
	}
	l.SetCompress(true)
	return nil
}

// compressKept does so for a stream that was found. Where the store cannot say so its pages are not compressed for now.
func (f *files) compressKept(k *kept) {
	c, err := k.entry.config()
	if err != nil {
		return // told when its machine is made
	}
	if err := f.compress(k.log, c); err != nil {
		f.log.Error("JetStream: stream " + k.title(f) + " is not compressed: " + err.Error())
	}
}
