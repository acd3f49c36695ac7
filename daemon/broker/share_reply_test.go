package broker

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// isOpen reports whether the request that has a reply subject is open.
func (t *replyTable) isOpen(reply string) bool {
	sh, s := t.hold(reply)
	if s == nil {
		return false
	}
	sh.mu.Unlock()
	return true
}

// openCount counts the requests that are open, and the chunks that they lie in.
func (t *replyTable) openCount() (requests, chunks int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, k := range sh.chunks {
			if k == nil {
				continue
			}
			chunks++
			for j := range k.slots {
				if k.slots[j].list != nil {
					requests++
				}
			}
		}
		sh.mu.Unlock()
	}
	return requests, chunks
}

// stop ends the timer.
func (c *replyClass) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// tableOf makes an account with an open table.
func tableOf(t interface{ Fatal(...any) }) (*Account, *replyTable) {
	b, err := New(Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	a := b.AddAccount("A")
	a.shares.replies.open(a)
	return a, &a.shares.replies
}

// A table knows the requests that are open and no others, whatever comes, goes and is
// tried; no name comes twice, though slots do.
func TestReplyTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, table := tableOf(t)
		type waits struct {
			subject   string
			streamed  bool
			answered  bool
			age, seen int // in turns
			r         openRequest
		}
		open, seen := map[string]*waits{}, map[string]bool{}
		var names []string // of all there ever were
		class := table.class(time.Hour)
		class.running.Store(true) // turned by hand
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1, 2:
				e := &serviceExport{ServiceExport{Streamed: rapid.Bool().Draw(t, "streamed"), Latency: &LatencySampling{Subject: "latency"}}}
				q := &request{a, fmt.Appendf(nil, "in.%d", i), e, class, nil, rapid.IntRange(0, replyShards-1).Draw(t, "shard")}
				if rapid.Bool().Draw(t, "measured") {
					q.sample = &sample{of: a, export: e}
				}
				name, r := table.add(nil, q)
				if seen[string(name)] {
					t.Fatalf("%q comes twice", name)
				}
				seen[string(name)] = true
				names = append(names, string(name))
				open[string(name)] = &waits{subject: string(q.reply), streamed: e.Streamed, r: r}
			case 3, 4:
				if len(names) == 0 {
					continue
				}
				name := names[rapid.IntRange(0, len(names)-1).Draw(t, "which")]
				empty := rapid.Bool().Draw(t, "empty")
				w, back := open[name], wayBack{}
				if got := table.take([]byte(name), empty, &back); got != (w != nil) {
					t.Fatalf("an answer to %q passes: %v", name, got)
				} else if !got {
					continue
				}
				if back.to != a || string(back.subject) != w.subject {
					t.Fatalf("an answer to %q goes to %q, want %q", name, back.subject, w.subject)
				}
				if w.answered = true; !w.streamed || empty {
					delete(open, name)
					if back.last.slot != nil {
						back.last.remove()
					}
				}
			case 5:
				if len(names) == 0 {
					continue
				}
				name := []byte(names[rapid.IntRange(0, len(names)-1).Draw(t, "which")])
				at := rapid.IntRange(0, len(name)-1).Draw(t, "at")
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0:
					name[at] = digits62[(strings.IndexByte(digits62, name[at])+1+len(digits62))%len(digits62)]
				case 1:
					name = name[:at]
				case 2:
					name = append(name, ".x"...)
				}
				if open[string(name)] == nil && table.take(name, false, new(wayBack)) {
					t.Fatalf("an answer to %q passes", name)
				}
			case 6:
				table.turn(class)
				for name, w := range open {
					w.age++
					if w.answered && w.streamed {
						w.seen = w.age
					}
					switch {
					case w.age-w.seen > 2*replyGens: // long gone
						delete(open, name)
					case w.age-w.seen < replyGens-1 && !table.isOpen(name):
						t.Fatalf("%q is forgotten after %d turns", name, w.age-w.seen)
					case !table.isOpen(name):
						delete(open, name)
					}
					w.answered = false
				}
			}
			if n, _ := table.openCount(); n != len(open) {
				t.Fatalf("%d requests are open, want %d", n, len(open))
			}
		}
		for range 3 * replyGens {
			table.turn(class)
		}
		class.stop()
		if n, chunks := table.openCount(); n+chunks > 0 {
			t.Fatalf("%d requests in %d chunks are left", n, chunks)
		}
	})
}

// A request waits for its threshold, and a quarter more at most; one that may be answered
// again, from its last answer on. When nobody waits, no timer runs and no memory is kept.
func TestReplyThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, table := tableOf(t)
		c := table.class(4 * time.Second)
		add := func(streamed bool) string {
			name, _ := table.add(nil, &request{a, []byte("in"), &serviceExport{ServiceExport{Streamed: streamed}}, c, nil, 1})
			return string(name)
		}
		one, many := add(false), add(true)
		for i := range 3 {
			time.Sleep(3900 * time.Millisecond)
			if i == 0 && !table.isOpen(one) || i > 1 && table.isOpen(one) {
				t.Errorf("round %d: a single one is open: %v", i, table.isOpen(one))
			}
			if !table.take([]byte(many), false, new(wayBack)) {
				t.Errorf("round %d: no more answers", i)
			}
		}
		time.Sleep(20 * time.Second)
		if table.isOpen(many) || c.running.Load() {
			t.Errorf("open: %v, the timer runs: %v", table.isOpen(many), c.running.Load())
		}
		if n, chunks := table.openCount(); n+chunks > 0 {
			t.Errorf("%d requests in %d chunks are left", n, chunks)
		}
		next := add(false)
		time.Sleep(6 * time.Second)
		if table.isOpen(next) {
			t.Error("the timer does not run again")
		}
	})
}

// A table forgets the oldest rather than growing without end.
func TestReplyTableIsBounded(t *testing.T) {
	a, table := tableOf(t)
	c := table.class(time.Hour)
	q := &request{a, []byte("in"), anyExport, c, nil, 3}
	name, _ := table.add(nil, q)
	first := string(name)
	table.turn(c)
	const most = maxChunks * chunkSlots
	for range most - 1 {
		name, _ = table.add(name[:0], q)
	}
	if n, chunks := table.openCount(); n != most || chunks != maxChunks || !table.isOpen(first) {
		t.Fatalf("%d requests in %d chunks", n, chunks)
	}
	name, _ = table.add(name[:0], q)
	if n, _ := table.openCount(); n != most || table.isOpen(first) || !table.isOpen(string(name)) {
		t.Errorf("%d requests, the first is open: %v", n, table.isOpen(first))
	}
	other := table.class(time.Minute) // has none to give up
	name, _ = table.add(name[:0], &request{a, []byte("in"), anyExport, other, nil, 3})
	if n, _ := table.openCount(); n != most || !table.isOpen(string(name)) {
		t.Errorf("%d requests", n)
	}
	for range replyGens + 1 {
		table.turn(c)
		table.turn(other)
	}
	c.stop()
	other.stop()
	if n, chunks := table.openCount(); n+chunks > 0 {
		t.Errorf("%d requests in %d chunks are left", n, chunks)
	}
}

// Many ask and answer at once, while generations turn: every answer finds its request.
func TestReplyTableAtOnce(t *testing.T) {
	a, table := tableOf(t)
	c := table.class(time.Hour)
	var all sync.WaitGroup
	names := make(chan string, 256)
	for i := range 4 {
		all.Go(func() {
			var name []byte
			for j := range 2000 {
				name, _ = table.add(name[:0], &request{a, fmt.Appendf(nil, "in.%d.%d", i, j), anyExport, c, nil, i % 2})
				names <- string(name)
			}
		})
	}
	var answers sync.WaitGroup
	for range 2 {
		answers.Go(func() {
			var back wayBack
			for name := range names {
				if !table.take([]byte(name), false, &back) || back.to != a || !strings.HasPrefix(string(back.subject), "in.") {
					t.Errorf("no way back from %q", name)
				}
				if table.take([]byte(name), false, &back) {
					t.Errorf("two answers to %q", name)
				}
			}
		})
	}
	for range replyGens - 2 {
		table.turn(c)
	}
	all.Wait()
	close(names)
	answers.Wait()
	c.stop()
	if n, _ := table.openCount(); n != 0 {
		t.Errorf("%d requests are open", n)
	}
}

// What cannot be delivered is not waited for.
func TestRequestsNobodyGets(t *testing.T) {
	b, addr := shared(t, AccountOptions{Name: "A", Exports: []ServiceExport{{Subject: "ask"}}},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "A", Subject: "ask"}}})
	p := dial(t, addr)
	p.send(`CONNECT {"verbose":false,"headers":true,"no_responders":true,"user":"B"}` + "\r\nSUB in 1\r\n")
	for range 3 {
		p.send("PUB ask in 1\r\n?\r\n")
		p.expect("HMSG in 1 35 35", "NATS/1.0 503", "Nats-Subject: ask", "", "")
	}
	if n, _ := b.Account("A").shares.replies.openCount(); n != 0 {
		t.Errorf("%d requests are open", n)
	}
}

// Nobody answers in another's place: not from another account, not by a subject that is
// almost right.
func TestForgedAnswers(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "A", Exports: []ServiceExport{{Subject: "ask"}}},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "A", Subject: "ask"}}}, AccountOptions{Name: "C"})
	as := func(user, line string) *peer {
		p := dial(t, addr)
		p.send(`CONNECT {"verbose":false,"user":"%s"}`+"\r\n%s", user, line)
		p.sync()
		return p
	}
	server, asker, other := as("A", "SUB ask 1\r\n"), as("B", "SUB in.* 1\r\n"), as("C", "")
	asker.send("PUB ask in.1 1\r\n?\r\n")
	reply := strings.Fields(server.line())[3]
	server.expect("?")
	almost := reply[:len(reply)-1] + "0"
	if reply[len(reply)-1] == '0' {
		almost = reply[:len(reply)-1] + "1"
	}
	for _, p := range []*peer{asker, other} {
		p.send("PUB %s 5\r\nwrong\r\n", reply)
		p.sync()
	}
	for _, bad := range []string{almost, reply + ".x", reply[:len(reply)-1], reply + "0", strings.ToLower(reply)} {
		server.send("PUB %s 5\r\nwrong\r\n", bad)
	}
	server.sync()
	server.send("PUB %s 1\r\n!\r\nPUB %s 5\r\nwrong\r\n", reply, reply)
	server.sync()
	asker.expect("MSG in.1 1 1", "!")
	asker.sync()
}

// BenchmarkReplyTable is what a request and its answer take in the table.
func BenchmarkReplyTable(b *testing.B) {
	a, table := tableOf(b)
	c := table.class(time.Hour)
	q := &request{a, []byte("_INBOX.4Zk9hQ2w8xTn3vB7yLs1Xc.00000001"), anyExport, c, nil, 3}
	var names [64][]byte
	var back wayBack
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		name := &names[n%len(names)]
		if len(*name) > 0 && !table.take(*name, false, &back) {
			b.Fatal("no way back")
		}
		*name, _ = table.add((*name)[:0], q)
	}
	c.stop()
}
