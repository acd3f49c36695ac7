package leafs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestFollowingOverKilledOrigins: a leaf node has a mirror of a stream of its hub, and a stream with it as a source. The hub is killed
// while somebody publishes: nothing is missing, nothing is there twice, and the order is the origin's.
func TestFollowingOverKilledOrigins(t *testing.T) {
	for _, theirs := range []bool{false, true} {
		t.Run(fmt.Sprint("nats-server: ", theirs), func(t *testing.T) {
			t.Parallel()
			hub := start(t, theirs, fmt.Sprintf(ofDomain, "hub", t.TempDir(), "dhub", ""))
			leaf := start(t, false, fmt.Sprintf(ofDomain, "leaf", t.TempDir(), "dleaf", fmt.Sprintf("{url: %q, account: A}", hub.url("a"))))
			js, ctx := hub.streams("a")
			if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
				t.Fatal(err)
			}
			at, ctx2 := leaf.streams("a")
			from := &jetstream.StreamSource{Name: "S", Domain: "dhub"}
			for _, c := range []jetstream.StreamConfig{{Name: "M", Mirror: from}, {Name: "A", Sources: []*jetstream.StreamSource{from}}} {
				if _, err := at.CreateStream(ctx2, c); err != nil {
					t.Fatal(err)
				}
			}
			stop, sent := context.WithCancel(context.Background())
			t.Cleanup(sent)
			acked := make(chan int, 1)
			go func() { // ends when it is stopped
				n := 0
				for stop.Err() == nil {
					try, cancel := context.WithTimeout(ctx, time.Second)
					if a, err := js.Publish(try, "s", fmt.Append(nil, n), jetstream.WithMsgID(fmt.Sprint(n))); err == nil && a != nil {
						n++
					}
					cancel()
					time.Sleep(5 * time.Millisecond) // so that there are not too many to compare
				}
				acked <- n
			}()
			for _, name := range []string{"M", "A"} {
				eventually(t, "messages come to "+name, func() bool {
					last, _ := leaf.last("a", name)
					return last > 20
				})
			}
			hub.Kill()
			hub.Restart()
			was, _ := leaf.last("a", "M")
			eventually(t, "messages come", func() bool {
				last, _ := leaf.last("a", "M")
				return last > was
			})
			sent()
			n := <-acked
			eventually(t, "the mirror is like its origin", func() bool { return leaf.contents("a", "M") == hub.contents("a", "S") })
			want := hub.contents("a", "S")
			last, _ := hub.last("a", "S")
			if last < uint64(n) {
				t.Errorf("%d messages were acked, and the origin has %d", n, last)
			}
			eventually(t, "the source has everything", func() bool {
				a, _ := leaf.last("a", "A")
				return a >= last
			})
			data := func(all string) (list []string) {
				for line := range strings.Lines(all) {
					list = append(list, strings.Join(strings.Fields(line)[:3], " "))
				}
				return list
			}
			if got := data(leaf.contents("a", "A")); !slices.Equal(got, data(want)) {
				t.Errorf("the source holds\n%v\nand its origin\n%v", got, data(want))
			}
		})
	}
}
