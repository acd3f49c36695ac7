package transport

import (
	"bytes"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// keeper is a destination that keeps what it is given.
type keeper struct {
	batch.Outlet
	kept []batch.Segment
}

func (k *keeper) Put(l *batch.Lane) bool {
	k.kept = append(k.kept, l.Segments()...)
	return false
}

func (k *keeper) AwaitRoom(func() bool) {}

// A part of the input is passed on as it lies there; what is no part of it is copied, and
// stays right whatever becomes of it.
func TestReferToInput(t *testing.T) {
	text := []byte("head payload tail")
	foreign := bytes.Clone(text)
	for _, c := range []struct {
		name   string
		part   func(in *Input) []byte
		want   string
		copied bool
	}{
		{"the middle", func(in *Input) []byte { return in.Data[5:12] }, "payload", false},
		{"all", func(in *Input) []byte { return in.Data }, string(text), false},
		{"the end", func(in *Input) []byte { return in.Data[13:] }, "tail", false},
		{"with another capacity", func(in *Input) []byte { return in.Data[5:12:12] }, "payload", true},
		{"beyond the end", func(in *Input) []byte { return in.Data[5 : len(in.Data)+1][:7] }, "payload", false},
		{"nothing", func(in *Input) []byte { return in.Data[:0] }, "", true},
		{"another slice", func(*Input) []byte { return foreign[5:12] }, "payload", true},
		{"another, as long as the block", func(in *Input) []byte { return append(make([]byte, 0, cap(in.Data)), text...)[5:12] }, "payload", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &keeper{}
			k.Leads(k)
			Inject(text, func(in *Input) {
				p := c.part(in)
				in.Refer(in.Batch.Lane(&k.Outlet), p)
				if copied := len(p) == 0 || &p[0] != addressOf(in, k, p); copied != c.copied {
					t.Errorf("copied: %v", copied)
				}
				if c.copied {
					for i := range p {
						p[i] = 'x'
					}
				}
			})
			got := ""
			for i := range k.kept {
				got += string(k.kept[i].Bytes())
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			batch.ReleaseAll(k.kept)
			copy(foreign, text)
		})
	}
}

// addressOf flushes and says where what was kept lies.
func addressOf(in *Input, k *keeper, p []byte) *byte {
	in.Batch.Flush()
	return &k.kept[0].Bytes()[0]
}
