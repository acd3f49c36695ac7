package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// crowdedDisk is a disk that says of itself how full it is.
type crowdedDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *crowdedDisk) Space(string) (vfs.Space, error) {
	return vfs.Space{Total: 1 << 34, Free: d.free.Load()}, nil
}

// A full disk costs what is published into streams in files, and nothing else, and only as long as it is full.
func TestDiskWithoutRoom(t *testing.T) {
	disk := &crowdedDisk{FS: vfs.OS}
	disk.free.Store(1 << 33)
	n := newNodeOn(t, disk, t.TempDir())
	ask := func(subject, body string) string {
		t.Helper()
		r, err := n.nc.Request(subject, []byte(body), patience)
		if err != nil {
			t.Fatal(subject, err)
		}
		return string(r.Data)
	}
	ask("$JS.API.STREAM.CREATE.F", `{"name":"F","storage":"file"}`)
	ask("$JS.API.STREAM.CREATE.M", `{"name":"M","storage":"memory"}`)
	ask("F", "one")
	ask("F", "two")
	disk.free.Store(1 << 20)
	n.server.lookAtRoom()
	for subject, want := range map[string]string{
		"F": `"err_code":10023`, "M": `"seq":1`, "$JS.API.STREAM.INFO.F": `"messages":2`,
	} {
		if got := ask(subject, "x"); !strings.Contains(got, want) {
			t.Errorf("%s on a full disk: %s", subject, got)
		}
	}
	if got := ask("$JS.API.STREAM.CREATE.G", `{"name":"G","storage":"file"}`); !strings.Contains(got, `"err_code":10047`) {
		t.Errorf("a stream is made on a full disk: %s", got)
	}
	if got := ask("$JS.API.STREAM.MSG.DELETE.F", `{"seq":1}`); !strings.Contains(got, `"success":true`) {
		t.Errorf("nothing is deleted on a full disk: %s", got)
	}
	if got := ask("$JS.API.STREAM.PURGE.F", ``); !strings.Contains(got, `"purged":1`) {
		t.Errorf("nothing is purged on a full disk: %s", got)
	}
	disk.free.Store(1 << 32)
	n.server.lookAtRoom()
	if got := ask("F", "three"); !strings.Contains(got, `"seq":3`) {
		t.Errorf("the disk has room again: %s", got)
	}
}

// The system account hears of a full disk.
func TestDiskWithoutRoomIsAnnounced(t *testing.T) {
	disk := &crowdedDisk{FS: vfs.OS}
	disk.free.Store(1 << 33)
	n := newNodeOn(t, disk, t.TempDir())
	heard := make(chan *nats.Msg, 1)
	sys := n.server.broker.System()
	sub, err := sys.SubscribeInternal(advisories+"SERVER.OUT_OF_STORAGE", "", hear(heard))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	disk.free.Store(1 << 20)
	n.server.lookAtRoom()
	var e struct{ Type, Server, ServerID string }
	if err := json.Unmarshal((<-heard).Data, &e); err != nil || e.Type != "io.nats.jetstream.advisory.v1.server_out_of_space" || e.Server != "alpha" {
		t.Errorf("%+v, %v", e, err)
	}
}

// hear has a part of the broker pass on what it hears.
func hear(to chan<- *nats.Msg) broker.Callback {
	return func(m *broker.Message) { to <- &nats.Msg{Data: bytes.Clone(m.Payload)} }
}

// A stream whose files cannot be written takes what it has accepted into memory, then nothing, and goes on when they can be.
func TestFilesCannotBeWritten(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	n := newNodeOn(t, disk, "/js")
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "F", Subjects: []string{"f"}}))
	disk.Hook(func(o sim.Op) sim.Fault {
		if path.Ext(o.Name) == ".seg" && o.Call.Changes() {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	text := make([]byte, 64<<10)
	var acks []nats.PubAckFuture
	js := ok(n.nc.JetStream(nats.PublishAsyncMaxPending(1000)))
	for range 200 { // 12 MiB: more than waits in memory
		acks = append(acks, ok(js.PublishAsync("f", text)))
	}
	taken, refused := uint64(0), 0
	outcome := func(f nats.PubAckFuture) {
		select {
		case <-f.Ok():
			taken++
		case err := <-f.Err():
			if refused++; !strings.Contains(err.Error(), "insufficient") {
				t.Fatal(err)
			}
		case <-n.ctx.Done():
			t.Fatal("no answer")
		}
	}
	// Those that were accepted and have no room wait for it; so the disk is mended before their answers come.
	err := error(nil)
	for ; err == nil; _, err = js.Publish("f", text) {
		taken++
	}
	taken-- // the first look was at no message
	waits := uint64(0)
	if errors.Is(err, nats.ErrTimeout) {
		waits = 1 // it may have been accepted
	}
	disk.Hook(nil)
	n.server.files.tryAgain()
	for _, f := range acks {
		outcome(f)
	}
	if _, err := js.Publish("f", text); err != nil {
		t.Fatal(err)
	}
	if st := ok(ok(n.js.Stream(n.ctx, "F")).Info(n.ctx)).State; st.Msgs < taken+1 || st.Msgs > taken+1+waits || taken == 0 {
		t.Errorf("%d messages were acknowledged, and %d refused; there are %d", taken+1, refused, st.Msgs)
	}
}
