package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// A line of a dump is one of these.
type (
	// StreamLine is a stream: what the catalogue has of it.
	StreamLine struct {
		Type      string    `json:"type"` // "stream"
		Account   string    `json:"account"`
		Name      string    `json:"name"`
		ID        uint64    `json:"id"`
		Created   time.Time `json:"created"`
		Config    any       `json:"config"`
		Consumers []string  `json:"consumers"`
	}
	// FrameLine is a frame of the journal.
	FrameLine struct {
		Type   string `json:"type"` // "frame"
		Commit uint64 `json:"commit"`
		Stream uint64 `json:"stream,omitempty"`
		Holds  string `json:"holds"`
		First  uint64 `json:"first,omitempty"`
		Count  uint32 `json:"count,omitempty"`
		Bytes  int    `json:"bytes"`
		Lost   bool   `json:"lost,omitempty"`
	}
	// MessageLine is a message. Header and payload are base64.
	MessageLine struct {
		Type    string    `json:"type"` // "message"
		Seq     uint64    `json:"seq"`
		Time    time.Time `json:"time"`
		Subject string    `json:"subject"`
		Header  []byte    `json:"header,omitempty"`
		Payload []byte    `json:"payload,omitempty"`
		Size    int       `json:"size"`              // bytes of header and payload
		Journal bool      `json:"journal,omitempty"` // only the journal has it, or may have it alone
	}
	// RemovalLine is something that the journal has and that takes messages out, or passes over sequences.
	RemovalLine struct {
		Type   string `json:"type"` // "removal"
		Commit uint64 `json:"commit"`
		What   string `json:"what"`
	}
	// DamageLine is something that cannot be read.
	DamageLine struct {
		Type string `json:"type"` // "damage"
		File string `json:"file,omitempty"`
		Text string `json:"text"`
		From uint64 `json:"from,omitempty"`
		To   uint64 `json:"to,omitempty"`
	}
)

// DumpOptions say what a dump holds.
type DumpOptions struct {
	Stream  string // its messages: "ACCOUNT > NAME", or NAME where one account has it; empty: the catalogue and the journal
	From    uint64 // the first sequence
	Payload bool   // with header and payload
}

// Dump writes what is in the store in a storage directory, as lines of JSON. It changes nothing. What cannot be read is a line, too;
// an error says that the rest could not be read, or written. damaged says that there was such a line.
func Dump(dir string, o DumpOptions, w io.Writer) (damaged bool, err error) {
	storeDir := storeDirOf(dir)
	release, err := keepOut(storeDir)
	if err != nil {
		return false, err
	}
	defer release()
	d := dumping{v: vfs.ReadOnly(vfs.OS), out: json.NewEncoder(w), o: o}
	d.out.SetEscapeHTML(false)
	if err := d.open(storeDir); err != nil {
		return d.damaged, err
	}
	if o.Stream == "" {
		err = d.outline()
	} else {
		err = d.messages()
	}
	return d.damaged, err
}

type dumping struct {
	v       vfs.FS
	o       DumpOptions
	dir     *store.Dir
	list    []jetstream.KeptStream
	out     *json.Encoder
	damaged bool
	failed  error // of writing
}

func (d *dumping) line(v any) {
	if d.failed == nil {
		d.failed = d.out.Encode(v)
	}
}

func (d *dumping) damage(file, text string, from, to uint64) {
	d.damaged = true
	d.line(DamageLine{"damage", file, text, from, to})
}

// open reads the catalogue, with what the journal has of it.
func (d *dumping) open(storeDir string) error {
	found, err := store.Look(d.v, storeDir)
	if err != nil {
		return err
	}
	d.dir = found.Dir
	if !found.Known {
		return fmt.Errorf("%s cannot be read: without it nothing of the store can be", d.dir.Path(store.NodeFile))
	}
	cat, err := d.dir.Catalogue()
	if err != nil {
		return err
	}
	for _, err := range cat.Damaged() {
		d.damage(d.dir.Path(store.CatalogueFile), err.Error(), 0, 0)
	}
	err = d.journal(func(commit uint64, f *journal.Frame) error {
		if body, ok := jetstream.FrameChanges(f); ok && !f.Lost {
			if err := cat.Apply(commit, body, true); err != nil {
				d.damage(d.dir.Path("journal"), err.Error(), 0, 0)
			}
		}
		return nil
	})
	if err != nil {
		d.damage(d.dir.Path("journal"), err.Error(), 0, 0)
	}
	var bad []error
	d.list, bad = jetstream.KeptStreams(cat)
	for _, err := range bad {
		d.damage(d.dir.Path(store.CatalogueFile), err.Error(), 0, 0)
	}
	return nil
}

func (d *dumping) journal(fn func(uint64, *journal.Frame) error) error {
	_, err := journal.Inspect(d.v, d.dir.Path("journal"), d.dir.Identity.Key, true, fn)
	return err
}

// outline writes the streams, and what the journal holds.
func (d *dumping) outline() error {
	for i := range d.list {
		k := &d.list[i]
		l := StreamLine{"stream", k.Account, k.Name, k.ID, k.Created, k.Config, []string{}}
		for _, c := range k.Consumers {
			l.Consumers = append(l.Consumers, c.Name)
		}
		d.line(l)
	}
	err := d.journal(func(commit uint64, f *journal.Frame) error {
		l := FrameLine{Type: "frame", Commit: commit, Stream: f.Stream, Holds: jetstream.FrameName(f.Kind), First: f.First, Count: f.Count, Lost: f.Lost}
		for _, p := range f.Body {
			l.Bytes += len(p)
		}
		d.damaged = d.damaged || f.Lost
		d.line(l)
		return d.failed
	})
	return cmp.Or(d.failed, err)
}

// find returns the stream that is meant.
func find(list []jetstream.KeptStream, name string) (*jetstream.KeptStream, error) {
	var meant []*jetstream.KeptStream
	for i := range list {
		k := &list[i]
		if name == title(k.Account, k.Name) || name == k.Name {
			meant = append(meant, k)
		}
	}
	switch len(meant) {
	case 1:
		return meant[0], nil
	case 0:
		return nil, fmt.Errorf("there is no stream %q", name)
	}
	var titles []string
	for _, k := range meant {
		titles = append(titles, strconv.Quote(title(k.Account, k.Name)))
	}
	slices.Sort(titles)
	return nil, fmt.Errorf("several accounts have a stream %q: say which of %q", name, titles)
}

// messages writes the messages of a stream: those in its files, then what the journal has behind them.
func (d *dumping) messages() error {
	k, err := find(d.list, d.o.Stream)
	if err != nil {
		return err
	}
	report := func(r segment.Report) {
		text := r.What
		if r.Err != nil {
			text += ": " + r.Err.Error()
		}
		d.damage(r.File, text, r.Lost.From, r.Lost.To)
	}
	folder := d.dir.Path("streams", strconv.FormatUint(k.ID, 10))
	durable, err := segment.Each(d.v, folder, segment.Options{Report: report}, d.o.From, func(r *stream.Record) bool {
		d.message(r, false)
		return d.failed == nil
	})
	if err != nil || d.failed != nil {
		return cmp.Or(d.failed, err)
	}
	err = d.journal(func(commit uint64, f *journal.Frame) error {
		if f.Stream != k.ID || commit <= durable {
			return d.failed
		}
		if f.Lost {
			d.damage(d.dir.Path("journal"), fmt.Sprintf("commit %d: %s cannot be read", commit, jetstream.FrameName(f.Kind)), f.First, f.First+uint64(max(f.Count, 1))-1)
			return d.failed
		}
		err := jetstream.EachMessage(f, func(r *stream.Record) {
			if r.Seq >= d.o.From {
				d.message(r, true)
			}
		})
		what, e := jetstream.Removal(f)
		if err == nil {
			err = e
		}
		if err != nil {
			d.damage(d.dir.Path("journal"), fmt.Sprintf("commit %d: %v", commit, err), 0, 0)
		} else if what != "" {
			d.line(RemovalLine{"removal", commit, what})
		}
		return d.failed
	})
	return cmp.Or(d.failed, err)
}

func (d *dumping) message(r *stream.Record, inJournal bool) {
	l := MessageLine{Type: "message", Seq: r.Seq, Time: time.Unix(0, r.Time).UTC(), Subject: string(r.Subject),
		Size: len(r.Header) + len(r.Payload), Journal: inJournal}
	if d.o.Payload {
		l.Header, l.Payload = r.Header, r.Payload
	}
	d.line(l)
}
