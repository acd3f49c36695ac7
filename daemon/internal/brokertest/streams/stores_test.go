package streams

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// diary is what a client of the store says, step by step.
type diary struct {
	strings.Builder
	ctx context.Context
	js  jetstream.JetStream
	nc  *nats.Conn
}

func (d *diary) note(what string, args ...any) { fmt.Fprintf(d, what+"\n", args...) }

// try notes what came of a step.
func (d *diary) try(what string, err error) bool {
	d.note("%s: %v", what, err)
	return err == nil
}

// sameDiary lets nats.go do the same with both brokers, and compares.
func sameDiary(t *testing.T, do func(d *diary, storage jetstream.StorageType)) {
	more := config(t, "")
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: more})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "")})
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		var said [2]string
		var both sync.WaitGroup
		for i, s := range []*brokertest.Server{theirs, ours} {
			both.Go(func() {
				nc, err := nats.Connect(s.URL(), nats.MaxReconnects(0))
				if err != nil {
					t.Error(err)
					return
				}
				defer nc.Close()
				js, err := jetstream.New(nc)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				d := &diary{ctx: ctx, js: js, nc: nc}
				do(d, storage)
				said[i] = d.String()
			})
		}
		both.Wait()
		if said[0] == "" || said[0] != said[1] {
			t.Errorf("%v:\n%s", storage, diff(said[0], said[1]))
		}
	}
}

// TestObjects keeps objects: large and empty ones, that are read, replaced, renamed, linked, watched, deleted, sealed.
func TestObjects(t *testing.T) {
	sameDiary(t, func(d *diary, storage jetstream.StorageType) {
		o, err := d.js.CreateObjectStore(d.ctx, jetstream.ObjectStoreConfig{Bucket: "b", Description: "d", Storage: storage, Metadata: map[string]string{"k": "v"}})
		if !d.try("create", err) {
			return
		}
		w, err := o.Watch(d.ctx)
		d.try("watch", err)
		large := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
		d.info(o.PutBytes(d.ctx, "large", large))
		d.info(o.PutString(d.ctx, "empty", ""))
		d.info(o.Put(d.ctx, jetstream.ObjectMeta{Name: "odd name/ü*>", Description: "x", Headers: nats.Header{"A": {"1", "2"}}, Opts: &jetstream.ObjectMetaOptions{ChunkSize: 1000}}, bytes.NewReader(large[:5500])))
		for _, name := range []string{"large", "empty", "odd name/ü*>", "none"} {
			b, err := o.GetBytes(d.ctx, name)
			d.note("%s: %d bytes, the same: %v, %v", name, len(b), bytes.Equal(b, large[:len(b)]), err)
			d.info(o.GetInfo(d.ctx, name))
		}
		d.held(o)
		d.info(o.PutBytes(d.ctx, "large", large[:300_000])) // its old pieces go
		d.held(o)
		d.try("rename", o.UpdateMeta(d.ctx, "large", jetstream.ObjectMeta{Name: "other", Description: "renamed"}))
		d.try("rename to one there is", o.UpdateMeta(d.ctx, "other", jetstream.ObjectMeta{Name: "empty"}))
		info, err := o.GetInfo(d.ctx, "other")
		d.info(info, err)
		d.info(o.AddLink(d.ctx, "link", info))
		b, err := o.GetBytes(d.ctx, "link")
		d.note("link: %d, %v", len(b), err)
		d.list(o)
		d.try("delete", o.Delete(d.ctx, "other"))
		d.try("delete", o.Delete(d.ctx, "other"))
		d.list(o, jetstream.ListObjectsShowDeleted())
		d.held(o)
		d.info(o.GetInfo(d.ctx, "other", jetstream.GetObjectInfoShowDeleted()))
		d.watched(w, 8)
		d.try("seal", o.Seal(d.ctx))
		d.info(o.PutString(d.ctx, "late", "x"))
		d.try("delete of what is sealed", o.Delete(d.ctx, "empty"))
		d.held(o)
		d.try("delete store", d.js.DeleteObjectStore(d.ctx, "b"))
		_, err = d.js.ObjectStore(d.ctx, "b")
		d.try("gone", err)
	})
}

func (d *diary) info(i *jetstream.ObjectInfo, err error) {
	if err != nil {
		d.note("  %v", err)
		return
	}
	link := ""
	if i.Opts != nil && i.Opts.Link != nil {
		link = i.Opts.Link.Bucket + "/" + i.Opts.Link.Name
	}
	d.note("  %s %q in %s: %d bytes, %d pieces, digest %s, deleted %v, link %q, headers %v", i.Name, i.Description, i.Bucket, i.Size, i.Chunks, i.Digest, i.Deleted, link, i.Headers)
}

func (d *diary) list(o jetstream.ObjectStore, opts ...jetstream.ListObjectsOpt) {
	l, err := o.List(d.ctx, opts...)
	d.note("list: %v", err)
	slices.SortFunc(l, func(a, b *jetstream.ObjectInfo) int { return strings.Compare(a.Name, b.Name) })
	for _, i := range l {
		d.info(i, nil)
	}
}

// held notes what the stream holds, but for names that are random.
func (d *diary) held(o jetstream.ObjectStore) {
	st, err := o.Status(d.ctx)
	if !d.try("status", err) {
		return
	}
	s, err := d.js.Stream(d.ctx, "OBJ_b")
	if !d.try("stream", err) {
		return
	}
	i := s.CachedInfo()
	d.note("  sealed %v, %s, %v, %d messages, %d bytes, %d subjects, first %d, last %d, %d deleted", st.Sealed(), st.Description(), st.Metadata()["k"],
		i.State.Msgs, i.State.Bytes, i.State.NumSubjects, i.State.FirstSeq, i.State.LastSeq, i.State.NumDeleted)
	d.note("  %+v", i.Config.Subjects)
}

func (d *diary) watched(w jetstream.ObjectWatcher, n int) {
	for range n {
		select {
		case i := <-w.Updates():
			if i == nil {
				d.note("  so far")
				continue
			}
			d.info(i, nil)
		case <-d.ctx.Done():
			d.note("  nothing more")
			return
		}
	}
	d.try("stop", w.Stop())
}

// TestKeys keeps keys: put, create, update, delete, purge; history, keys, watches of every kind.
func TestKeys(t *testing.T) {
	sameDiary(t, func(d *diary, storage jetstream.StorageType) {
		kv, err := d.js.CreateKeyValue(d.ctx, jetstream.KeyValueConfig{Bucket: "b", History: 3, Storage: storage, MaxValueSize: 100})
		if !d.try("create", err) {
			return
		}
		w, err := kv.WatchAll(d.ctx)
		d.try("watch", err)
		only, err := kv.Watch(d.ctx, "a.*", jetstream.UpdatesOnly())
		d.try("watch", err)
		for i := range 5 {
			d.revision(kv.PutString(d.ctx, "a.x", fmt.Sprint("value ", i)))
		}
		d.revision(kv.Create(d.ctx, "b", []byte("one")))
		d.revision(kv.Create(d.ctx, "b", []byte("two")))
		d.revision(kv.Update(d.ctx, "b", []byte("three"), 6))
		d.revision(kv.Update(d.ctx, "b", []byte("four"), 6))
		d.revision(kv.Put(d.ctx, "large", make([]byte, 101)))
		d.try("delete", kv.Delete(d.ctx, "a.x"))
		d.try("delete, wrong revision", kv.Delete(d.ctx, "b", jetstream.LastRevision(2)))
		d.revision(kv.Create(d.ctx, "a.x", []byte("anew")))
		d.revision(kv.PutString(d.ctx, "a.y", "y"))
		d.history(kv, "a.x")
		d.try("purge", kv.Purge(d.ctx, "a.x"))
		d.history(kv, "a.x")
		for _, k := range []string{"a.x", "a.y", "b", "none", "bad key"} {
			d.entry(kv.Get(d.ctx, k))
		}
		d.entry(kv.GetRevision(d.ctx, "b", 6))
		d.entry(kv.GetRevision(d.ctx, "b", 1))
		keys, err := kv.Keys(d.ctx)
		slices.Sort(keys)
		d.note("keys %v, %v", keys, err)
		l, err := kv.ListKeysFiltered(d.ctx, "a.*")
		if d.try("filtered", err) {
			for k := range l.Keys() {
				d.note("  %s", k)
			}
		}
		d.updates(w, 9)
		d.updates(only, 7)
		for _, opts := range [][]jetstream.WatchOpt{{jetstream.IncludeHistory()}, {jetstream.IgnoreDeletes()}, {jetstream.MetaOnly()}, {jetstream.ResumeFromRevision(6)}} {
			w, err := kv.Watch(d.ctx, ">", opts...)
			if d.try("watch", err) {
				d.sofar(w)
			}
		}
		d.try("purge deletes", kv.PurgeDeletes(d.ctx, jetstream.DeleteMarkersOlderThan(-1)))
		st, err := kv.Status(d.ctx)
		if d.try("status", err) {
			d.note("  %s: %d values, history %d, %d bytes, compressed %v", st.Bucket(), st.Values(), st.History(), st.Bytes(), st.IsCompressed())
		}
		d.try("delete bucket", d.js.DeleteKeyValue(d.ctx, "b"))
	})
}

func (d *diary) revision(rev uint64, err error) { d.note("  revision %d, %v", rev, err) }

func (d *diary) entry(e jetstream.KeyValueEntry, err error) {
	if err != nil {
		d.note("  %v", err)
		return
	}
	d.note("  %s %s = %q, revision %d, %v, %d to come", e.Bucket(), e.Key(), e.Value(), e.Revision(), e.Operation(), e.Delta())
}

func (d *diary) history(kv jetstream.KeyValue, key string) {
	h, err := kv.History(d.ctx, key)
	d.note("history of %s: %v", key, err)
	for _, e := range h {
		d.entry(e, nil)
	}
}

func (d *diary) updates(w jetstream.KeyWatcher, n int) {
	d.note("updates")
	for range n {
		select {
		case e := <-w.Updates():
			if e == nil {
				d.note("  so far")
				continue
			}
			// How much comes after it depends on when it was delivered: others are written meanwhile.
			d.note("  %s %s = %q, revision %d, %v", e.Bucket(), e.Key(), e.Value(), e.Revision(), e.Operation())
		case <-d.ctx.Done():
			d.note("  nothing more")
			return
		}
	}
	d.try("stop", w.Stop())
}

// sofar notes what a watch begins with.
func (d *diary) sofar(w jetstream.KeyWatcher) {
	for {
		select {
		case e := <-w.Updates():
			if e == nil {
				d.try("stop", w.Stop())
				return
			}
			d.entry(e, nil)
		case <-d.ctx.Done():
			d.note("  nothing more")
			return
		}
	}
}
