package leafs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// streams is the JetStream of a server, asked directly. The context bounds all of a test, and not a step of it.
func (s *server) streams(user string) (jetstream.JetStream, context.Context) {
	s.t.Helper()
	js, err := jetstream.New(s.as(user))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*brokertest.Patience)
	s.t.Cleanup(cancel)
	return js, ctx
}

// contents is what a stream holds, with sequences, subjects, and times or where it was taken from.
func (s *server) contents(user, name string) string {
	s.t.Helper()
	js, ctx := s.streams(user)
	st, err := js.Stream(ctx, name)
	if err != nil {
		return err.Error()
	}
	i, err := st.Info(ctx)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for seq := i.State.FirstSeq; seq <= i.State.LastSeq; seq++ {
		m, err := st.GetMsg(ctx, seq)
		if err != nil {
			fmt.Fprintf(&b, "%d %v\n", seq, err)
			continue
		}
		fmt.Fprintf(&b, "%d %s %s %v", seq, m.Subject, m.Data, m.Header)
		if i.Config.Mirror != nil || len(i.Config.Sources) == 0 {
			fmt.Fprintf(&b, " %v", m.Time)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// last is the last sequence of a stream, and what is told of its mirror.
func (s *server) last(user, name string) (uint64, *jetstream.StreamSourceInfo) {
	js, ctx := s.streams(user)
	ctx, cancel := context.WithTimeout(ctx, brokertest.Patience/6) // a question may be lost with its connection; then it is asked again
	defer cancel()
	st, err := js.Stream(ctx, name)
	if err != nil {
		return 0, nil
	}
	i, err := st.Info(ctx)
	if err != nil {
		return 0, nil
	}
	return i.State.LastSeq, i.Mirror
}

// TestFollowingByDomain: a leaf node has a mirror of a stream of its hub, and a stream with it as a source, and the other way round; the
// connection between them ends for a while.
func TestFollowingByDomain(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			hub := start(t, m.hubTheirs, fmt.Sprintf(ofDomain, "hub", t.TempDir(), "dhub", ""))
			leaf := start(t, m.theirs, fmt.Sprintf(ofDomain, "leaf", t.TempDir(), "dleaf", fmt.Sprintf("{url: %q, account: A}", hub.url("a"))))
			leaf.WaitLog(`JetStream using domains: local "dleaf", remote "dhub"`)
			crosses(t, leaf.as("a"), hub.as("a"))
			for _, c := range []struct {
				domain string
				at, by *server
			}{{"dhub", hub, leaf}, {"dleaf", leaf, hub}} {
				js, ctx := c.at.streams("a")
				name := "S" + c.domain
				if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{c.domain + ".*"}}); err != nil {
					t.Fatal(err)
				}
				publish := func(n int) {
					for i := range n {
						if _, err := js.Publish(ctx, fmt.Sprintf("%s.%d", c.domain, i%3), fmt.Append(nil, i, strings.Repeat("x", 2000))); err != nil {
							t.Fatal(err)
						}
					}
				}
				publish(50)
				other, ctx := c.by.streams("a")
				from := &jetstream.StreamSource{Name: name, Domain: c.domain}
				if _, err := other.CreateStream(ctx, jetstream.StreamConfig{Name: "M" + c.domain, Mirror: from}); err != nil {
					t.Fatal(err)
				}
				part := &jetstream.StreamSource{Name: name, Domain: c.domain, FilterSubject: c.domain + ".1"}
				if _, err := other.CreateStream(ctx, jetstream.StreamConfig{Name: "A" + c.domain, Sources: []*jetstream.StreamSource{part}}); err != nil {
					t.Fatal(err)
				}
				same := func() bool { return c.by.contents("a", "M"+c.domain) == c.at.contents("a", name) }
				eventually(t, "the mirror is like its origin", same)
				publish(30)
				eventually(t, "the mirror is like its origin", same)
				eventually(t, "the source is there", func() bool {
					last, _ := c.by.last("a", "A"+c.domain)
					return last == 27
				})
				all := c.by.contents("a", "A"+c.domain)
				if !strings.Contains(all, name+":") || strings.Count(all, "Nats-Stream-Source") != 27 {
					t.Errorf("%s", all)
				}
			}
		})
	}
}

// TestFollowingOverRestarts: the hub, with the origin, ends and comes back, and so does the leaf node, with the mirror, without a word.
func TestFollowingOverRestarts(t *testing.T) {
	hub := start(t, true, fmt.Sprintf(ofDomain, "hub", t.TempDir(), "dhub", ""))
	leaf := start(t, false, fmt.Sprintf(ofDomain, "leaf", t.TempDir(), "dleaf", fmt.Sprintf("{url: %q, account: A}", hub.url("a"))))
	js, ctx := hub.streams("a")
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	at, ctx2 := leaf.streams("a")
	if _, err := at.CreateStream(ctx2, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S", Domain: "dhub"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := at.CreateStream(ctx2, jetstream.StreamConfig{Name: "A", Sources: []*jetstream.StreamSource{{Name: "S", Domain: "dhub"}}}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	sent := make(chan int, 1)
	go func() { // ends when it is stopped
		n := 0
		defer func() { sent <- n }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond): // so that there are not too many to compare
			}
			if _, err := js.Publish(ctx, "s", fmt.Append(nil, n)); err != nil {
				return // the test ends
			}
			n++
		}
	}()
	for range 2 {
		was, _ := leaf.last("a", "A")
		eventually(t, "messages come", func() bool {
			last, _ := leaf.last("a", "A")
			return last > was+20
		})
		leaf.Kill()
		leaf.drop()
		leaf.Restart()
	}
	close(stop)
	if n := <-sent; n < 40 {
		t.Fatalf("%d messages were published", n)
	}
	eventually(t, "the mirror is like its origin", func() bool { return leaf.contents("a", "M") == hub.contents("a", "S") })
	want, _ := hub.last("a", "S")
	eventually(t, "the source has everything", func() bool {
		last, _ := leaf.last("a", "A")
		return last >= want
	})
	for i, line := range strings.Split(strings.TrimSpace(leaf.contents("a", "A")), "\n") {
		if !strings.HasPrefix(line, fmt.Sprintf("%d s %d map", i+1, i)) {
			t.Fatalf("message %d is %s", i+1, line)
		}
	}
}

// TestFollowingAnotherAccount: a stream of one account is mirrored, and is a source, in another that imports its API.
func TestFollowingAnotherAccount(t *testing.T) {
	config := `
server_name: one
jetstream { store_dir: %q }
accounts {
  A { jetstream: enabled, users: [{user: a, password: p}], exports: [{service: "$JS.API.>"}, {service: "$JS.FC.>"}, {stream: "to.b.>"}] }
  B { jetstream: enabled, users: [{user: b, password: p}], imports: [
    {service: {account: A, subject: "$JS.API.>"}, to: "JS.a.API.>"}, {service: {account: A, subject: "$JS.FC.>"}}, {stream: {account: A, subject: "to.b.>"}} ] }
}
`
	for _, theirs := range []bool{true, false} {
		t.Run(fmt.Sprint("nats-server: ", theirs), func(t *testing.T) {
			s := start(t, theirs, fmt.Sprintf(config, t.TempDir()))
			a, ctx := s.streams("a")
			for _, c := range []jetstream.StreamConfig{{Name: "S", Subjects: []string{"s.*"}}, {Name: "Q", Subjects: []string{"q.*"}, Retention: jetstream.WorkQueuePolicy}} {
				if _, err := a.CreateStream(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 3000 {
				if _, err := a.PublishAsync(fmt.Sprintf("s.%d", i%3), fmt.Append(nil, i, strings.Repeat("x", 2000))); err != nil {
					t.Fatal(err)
				}
			}
			<-a.PublishAsyncComplete()
			b, ctx := s.streams("b")
			ext := &jetstream.ExternalStream{APIPrefix: "JS.a.API", DeliverPrefix: "to.b"}
			for _, c := range []jetstream.StreamConfig{
				{Name: "M", Mirror: &jetstream.StreamSource{Name: "S", External: ext}},
				{Name: "N", Sources: []*jetstream.StreamSource{{Name: "S", External: ext, SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: "s.1", Destination: "one"}}}, {Name: "Q", External: ext}}},
			} {
				if _, err := b.CreateStream(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "everything is mirrored", func() bool {
				last, _ := s.last("b", "M")
				return last == 3000
			})
			if _, m := s.last("b", "M"); m == nil || m.External == nil || m.External.APIPrefix != "JS.a.API" || m.Lag != 0 || m.Error != nil {
				t.Errorf("%+v", m)
			}
			eventually(t, "the source is there", func() bool {
				last, _ := s.last("b", "N")
				return last == 1000
			})
			if _, err := a.Publish(ctx, "q.1", []byte("work")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the work is there, and gone where it was", func() bool {
				last, _ := s.last("b", "N")
				q, err := a.Stream(ctx, "Q")
				return last == 1001 && err == nil && q.CachedInfo().State.Msgs == 0
			})
		})
	}
}
