package streams

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// differs are the differences that nats-broker-jetstream(7) lists, each with a talk whose last answers are others.
var differs = []struct {
	what         string // as in the manual
	steps        []string
	theirs, ours string // parts of what is said
}{
	{"a message larger than max_bytes, discard old", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind","max_bytes":100}`, `req S one`, `req S ` + strings.Repeat("x", 200), `req $JS.API.STREAM.INFO.S`,
	}, `"messages":0,"bytes":0,"first_seq":3,`, `{"error":{"code":503,"err_code":10077,"description":"message too large"},"stream":"S`},
	{"a stream with features that are not in this version", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"file","persist_mode":"async"}`,
	}, `"did_create":true`, `"err_code":10052,"description":"persist_mode async is not available in this version of nats-broker"`},
	{"a schedule that sends to a subject on which something is done", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a","b","$JS.API.CONSUMER.MSG.NEXT.T.none"],"storage":"%kind","no_ack":true,"allow_msg_schedules":true}`,
		`head Nats-Schedule: @at 2100-01-01T00:00:00Z`, `head Nats-Schedule-Target: $JS.API.CONSUMER.MSG.NEXT.T.none`, `pub a x`, `pub b y`,
		`await "b":1 $JS.API.STREAM.INFO.S {"subjects_filter":"b"}`, `req $JS.API.STREAM.INFO.S`,
	}, `"messages":2,`, `"messages":1,`},
	{"a stream, consumer, purge or reset at a sequence above 10^18", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind","first_seq":1000000000000000001}`,
	}, `"first_seq":1000000000000000001,`, `"err_code":10052,"description":"first sequence must not be above 1000000000000000000"`},
	{"ids of messages in a mirror that becomes a stream of its own", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind"}`, `head Nats-Msg-Id: a`, `req S one`, `req $JS.API.STREAM.CREATE.T {"name":"T","storage":"%kind","mirror":{"name":"S"}}`,
		`await "last_seq":1 $JS.API.STREAM.INFO.T`, `req $JS.API.STREAM.UPDATE.T {"name":"T","storage":"%kind"}`, `head Nats-Msg-Id: a`, `req T one`,
	}, `,"seq":2}`, `,"seq":1,"duplicate": true}`},
	{"a consumer of a work queue that is to ask for everything, beside others", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind","retention":"workqueue"}`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","filter_subject":"a.1"}}`,
		`req $JS.API.CONSUMER.CREATE.S.d {"stream_name":"S","config":{"durable_name":"d","ack_policy":"explicit","filter_subject":"a.2"}}`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"}}`,
		`req $JS.API.CONSUMER.CREATE.S.e {"stream_name":"S","config":{"durable_name":"e","ack_policy":"explicit","filter_subject":"a.3"}}`,
	}, `"err_code":10100`, `"err_code":10099`},
	{"the floor of acks behind a message that was delivered as often as allowed", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind"}`, `req S one`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","ack_policy":"explicit","max_deliver":1,"ack_wait":50000000}}`,
		`pull x 1`, `take x 1`, `until "num_ack_pending":0 $JS.API.CONSUMER.INFO.S.c`,
	}, `"<time>"},"ack_floor":{"consumer_seq":0,"stream_seq":0}`, `"<time>"},"ack_floor":{"consumer_seq":1,"stream_seq":1}`},
	{"the floor of acks when some of what is pending is purged", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["S.*"],"storage":"%kind"}`, `req S.a one`, `req S.b two`, `req S.b three`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","ack_policy":"explicit"}}`,
		`pull x 2`, `take x 2`, `req $JS.API.STREAM.PURGE.S {"filter":"S.b"}`, `until "num_pending":0 $JS.API.CONSUMER.INFO.S.c`,
	}, `"ack_floor":{"consumer_seq":2,"stream_seq":0`, `"<time>"},"ack_floor":{"consumer_seq":0,"stream_seq":0`},
	{"acks of the longer form", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind"}`, `req S one`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","ack_policy":"explicit"}}`,
		`pull x 1`, `take x 1`, `silent $JS.ACK._.hash.S.c.1.1.1.1700000000000000000.0`, `info`,
	}, `no responders available`, `"ack_floor":{"consumer_seq":1,"stream_seq":1`},
	{"advisories of a pending message that is deleted at the front of a stream", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind"}`, `req S one`, `req S two`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","ack_policy":"explicit"}}`, `join adv $JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>`,
		`pull x 1`, `take x 1`, `req $JS.API.STREAM.MSG.DELETE.S {"seq":1}`, `none adv`,
	}, `Unacknowledged message was deleted`, `  nothing`},
	{"a message that is only traced, and that a stream would refuse", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind"}`, `head Nats-Trace-Dest: nobody.there`, `head Nats-Trace-Only: true`, `head Nats-Expected-Last-Sequence: 5`, `silent S one`,
	}, `"err_code":10071`, `nats: timeout`},
	{"a message of a fast batch that is sent again after an error", []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.*"],"storage":"%kind","allow_batched":true}`, `join x F.>`, `fast a.x F.b.10.ok.1.0.$FI body`,
		`head Nats-Expected-Stream: none`, `fast a.x F.b.10.ok.2.1.$FI body`, `fast a.x F.b.10.ok.2.1.$FI body`, `take x 3`, `none x`,
	}, `{"type":"gap","last_seq":3,"seq":2}` + "\nnone x\n  nothing", `"batch":"b","count":2}`},
}

// elsewhere are the differences that other tests show.
var elsewhere = map[string]string{
	"deleted_details of a stream in files that never had a message":            "masked in TestTalks; TestUnused",
	"a stream in files that is made again right after it was deleted":          "TestMadeAgain",
	"a domain named API, ACK, FC, SNAPSHOT or EVENT":                           "TestReservedDomains",
	"when data is synced, if nothing is said":                                  "the power cuts of the journal",
	"/healthz of a stream in memory":                                           "daemon/monitor: TestHealthOfStreamsInMemory",
	"MSG.DELETE without no_erase, of a message in files":                       "TestDeletedBytes",
	"a header of one byte, where a line is added to it":                        "TestShortHeaders in daemon/jetstream",
	"an origin that is behind what a mirror or a source has of it":             "daemon/jetstream: TestOriginThatWentBack",
	"last_ts of a stream whose last message was deleted, after an unclean end": "TestConsumersOutlive",
	"a marker for which there can be no room":                                  "TestDueWithoutRoom",
	"a schedule that is due while there is no room":                            "TestDueWithoutRoom",
}

// TestDiffersOnPurpose holds the manual's list against what both say.
func TestDiffersOnPurpose(t *testing.T) {
	page, err := os.ReadFile(brokertest.Root() + "/man/nats-broker-jetstream.7")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), ".\\\" differs: begin\n")
	list, _, _ = strings.Cut(list, ".\\\" differs: end\n")
	rows := strings.Count(list, ".It ")
	if rows != len(differs)+len(elsewhere) {
		t.Errorf("%d rows in the manual, %d here", rows, len(differs)+len(elsewhere))
	}
	for what := range elsewhere {
		if !strings.Contains(list, fmt.Sprintf(".It %q\n", what)) {
			t.Errorf("the manual does not say %q", what)
		}
	}
	theirs, ours := pair(t, "")
	for _, d := range differs {
		if !strings.Contains(list, fmt.Sprintf(".It %q\n", d.what)) {
			t.Errorf("the manual does not say %q", d.what)
		}
		for _, storage := range storages {
			n := int(talks.Add(1))
			a, b := theirs.play(talk{steps: d.steps}, storage, n), ours.play(talk{steps: d.steps}, storage, n)
			theirs.tidy()
			ours.tidy()
			if !strings.Contains(a, d.theirs) || strings.Contains(a, d.ours) {
				t.Errorf("%s: nats-server says\n%s", d.what, a)
			}
			if !strings.Contains(b, d.ours) || strings.Contains(b, d.theirs) {
				t.Errorf("%s: nats-broker says\n%s", d.what, b)
			}
		}
	}
}

// TestDeletedBytes deletes a message, and looks for it in the files.
func TestDeletedBytes(t *testing.T) {
	for binary, kept := range map[string]bool{brokertest.Ours(t): true, brokertest.NATSServer(t): false} {
		dir, mark := t.TempDir(), "a text that is found nowhere else"
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf("jetstream { store_dir: %q }\n", dir)})
		p := newPeer(t, s)
		said := p.play(talk{steps: []string{
			`req $JS.API.STREAM.CREATE.S {"name":"S"}`, "req S " + mark, "req S another", `req $JS.API.STREAM.MSG.DELETE.S {"seq":1}`,
		}}, "file", 1)
		if !strings.Contains(said, `"success":true`) {
			t.Fatal(said)
		}
		s.Stop()
		found := false
		if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			found = found || bytes.Contains(text, []byte(mark))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if found != kept {
			t.Errorf("%s: what was deleted is in the files: %v, want %v", binary, found, kept)
		}
	}
}

// TestUnused looks at a stream in files that never had a message.
func TestUnused(t *testing.T) {
	ours := newPeer(t, brokertest.Start(t, brokertest.Options{Config: config(t, "")}))
	said := ours.play(talk{steps: []string{`req $JS.API.STREAM.CREATE.S {"name":"S"}`, `req $JS.API.STREAM.INFO.S {"deleted_details":true}`}}, "file", 1)
	if strings.Contains(said, "deleted\":") {
		t.Error(said)
	}
}

// TestMadeAgain deletes a stream in files and makes it again, many times.
func TestMadeAgain(t *testing.T) {
	ours := newPeer(t, brokertest.Start(t, brokertest.Options{Config: config(t, "")}))
	for range 50 {
		for _, step := range [][2]string{{"$JS.API.STREAM.CREATE.S", `{"name":"S"}`}, {"S", "x"}, {"$JS.API.STREAM.DELETE.S", ""}} {
			r, err := ours.nc.Request(step[0], []byte(step[1]), patience)
			if err != nil || strings.Contains(string(r.Data), "error") || step[0] == "S" && !strings.Contains(string(r.Data), `"seq":1}`) {
				t.Fatalf("%s: %s, %v", step[0], r.Data, err)
			}
		}
	}
}

// TestCompression makes a stream that is to be compressed, as tools make buckets: it counts for as much as without.
func TestCompression(t *testing.T) {
	ours := newPeer(t, brokertest.Start(t, brokertest.Options{Config: config(t, "")}))
	body := strings.Repeat("x", 1000)
	said := ours.play(talk{steps: []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","compression":"s2"}`, `req S ` + body, `req $JS.API.STREAM.INFO.S`, `req $JS.API.STREAM.MSG.GET.S {"seq":1}`,
	}}, "file", 1)
	for _, want := range []string{`"compression":"s2"`, `"bytes":1032,`, base64.StdEncoding.EncodeToString([]byte(body))} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not in %s", want, said)
		}
	}
}

// TestReservedDomains starts with domains that other subjects of JetStream have in their place.
func TestReservedDomains(t *testing.T) {
	for _, d := range []string{"API", "ACK", "FC", "SNAPSHOT", "EVENT"} {
		said, refuses := brokertest.Refuses(t, brokertest.Options{Config: fmt.Sprintf("jetstream { domain: %s, store_dir: %q }\n", d, t.TempDir())})
		if !refuses || !strings.Contains(said, "JetStream domain cannot be a word") {
			t.Errorf("%s: %s", d, said)
		}
	}
}

// TestDueWithoutRoom has the last messages of subjects be too old where a marker is larger than any message, or than the stream, and a
// schedule be due where the account has no room for a while. All of it waits side by side.
func TestDueWithoutRoom(t *testing.T) {
	accounts := "accounts { M { jetstream: enabled, users [{user: M, password: p}] }, L { jetstream { max_memory: 1000 }, users [{user: L, password: p}] } }\n"
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, "") + accounts})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "") + accounts})
	var all sync.WaitGroup
	ends := func(srv *brokertest.Server, user, storage, want string, steps ...string) {
		n := int(talks.Add(1))
		all.Go(func() {
			p := newPeer(t, srv, nats.UserInfo(user, "p"))
			said := p.play(talk{steps: append(steps, `req $JS.API.STREAM.INFO.S`)}, storage, n)
			if at := strings.LastIndex(said, `"state":`); !strings.Contains(said[max(at, 0):], want) {
				t.Errorf("%s is not in the end of\n%s", want, said)
			}
		})
	}
	for _, more := range []string{`"max_msg_size":20`, `"max_bytes":60,"discard":"new"`} {
		for _, storage := range storages {
			create := `req $JS.API.STREAM.CREATE.S {"name":"S","storage":"%kind",` + more + `,"max_age":1000000000,"allow_msg_ttl":true,"subject_delete_marker_ttl":1000000000}`
			ends(theirs, "M", storage, `"messages":1,`, create, `req S one`, `wait 3000`)
			ends(ours, "M", storage, `"messages":0,"bytes":0,"first_seq":2,`, create, `req S one`, `until "messages":0,"bytes":0,"first_seq":2 $JS.API.STREAM.INFO.S`)
		}
	}
	full := func(more string) []string {
		return []string{`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.*"],"storage":"%kind","allow_msg_schedules":true}`, `req a.fill ` + strings.Repeat("x", 300),
			`head Nats-Schedule: @at 2020-01-01T00:00:00Z`, `head Nats-Schedule-Target: a.to`, `req a.plan ` + strings.Repeat("y", 300), `wait 2000`,
			`req $JS.API.STREAM.PURGE.S {"filter":"a.fill"}`, more}
	}
	ends(theirs, "L", "memory", `"last_seq":2,`, full(`wait 7000`)...)
	ends(ours, "L", "memory", `"last_seq":3,`, full(`until "last_seq":3 $JS.API.STREAM.INFO.S`)...)
	all.Wait()
}
