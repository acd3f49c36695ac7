package system

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// bench is a broker with a service and an account of listeners to it.
type bench struct {
	t       *testing.T
	broker  *broker.Broker
	service *Service
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	b, err := broker.New(broker.Options{ServerName: "alpha", Cluster: "east"}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	s := New(b, o, Source{}, logging.Discard())
	t.Cleanup(func() { s.Stop(); b.Stop() })
	return &bench{t, b, s}
}

func (b *bench) start() {
	b.t.Helper()
	if err := b.service.Start(); err != nil {
		b.t.Fatal(err)
	}
}

// got is a message that was received.
type got struct {
	subject, header string
	body            []byte
}

// listen returns what arrives on a pattern of the system account.
func (b *bench) listen(pattern string) <-chan got {
	b.t.Helper()
	c := make(chan got, maxEvents+64) // who sends must never wait for a test that has ended
	sub, err := b.broker.System().SubscribeInternal(pattern, "", func(m *broker.Message) {
		c <- got{string(m.Subject), string(m.Header), bytes.Clone(m.Payload)}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(sub.Unsubscribe)
	return c
}

// ask sends a request and returns the answer.
func (b *bench) ask(subject, header, body string) got {
	b.t.Helper()
	answers := b.listen("answers")
	var h []byte
	if header != "" {
		h = []byte("NATS/1.0\r\n" + header + "\r\n\r\n")
	}
	b.broker.System().Publish(subject, "answers", h, []byte(body))
	return <-answers
}

func TestAnswers(t *testing.T) {
	b := newBench(t, Options{Tags: []string{"eu"}})
	b.service.Handle("$SYS.REQ.TEST.*", func(r *Request) {
		switch meant, err := r.Meant(); {
		case err != nil:
			r.Refuse(err)
		case r.Token(3) == "fail":
			r.Fail(404, "no such thing")
		case r.Token(3) == "panic":
			panic("oops")
		case meant:
			r.Data(map[string]string{"body": string(r.Body)})
		default:
			r.Fail(999, "not meant")
		}
	})
	b.start()
	for _, c := range []struct{ subject, body, want string }{
		{"ok", "", `{"body":""}`},
		{"ok", `{"server_name":"alph","tags":["EU"]}`, `{"body":"{\"server_name\":\"alph\",\"tags\":[\"EU\"]}"}`},
		{"ok", `{"server_name":"alph","exact_match":true}`, `999 not meant`},
		{"ok", `{"cluster":"west"}`, `999 not meant`},
		{"ok", `{"tags":["eu","us"]}`, `999 not meant`},
		{"ok", `{"domain":"hub"}`, `999 not meant`},
		{"ok", `{"cluster":1}`, `400 json: cannot unmarshal number into Go struct field Filter.cluster of type string`},
		{"fail", "", `404 no such thing`},
		{"panic", "", `500 internal error`},
	} {
		m := b.ask("$SYS.REQ.TEST."+c.subject, "", c.body)
		var e struct {
			Server *ServerInfo
			Data   json.RawMessage
			Error  *Error
		}
		if err := json.Unmarshal(m.body, &e); err != nil {
			t.Fatalf("%s: %v", m.body, err)
		}
		have := string(e.Data)
		if e.Error != nil {
			have = fmt.Sprint(e.Error.Code, " ", e.Error.Description)
		}
		if have != c.want {
			t.Errorf("%s %s: %s, want %s", c.subject, c.body, have, c.want)
		}
		if e.Server == nil || e.Server.Name != "alpha" || e.Server.Cluster != "east" || e.Server.ID != b.broker.ID() {
			t.Errorf("%s: server is %+v", c.subject, e.Server)
		}
	}
}

func TestEncodings(t *testing.T) {
	b := newBench(t, Options{})
	b.service.Handle("big", func(r *Request) { r.Data(strings.Repeat("x", 10000)) })
	b.start()
	for _, c := range []struct {
		accept, encoding string
		open             func(io.Reader) io.Reader
	}{
		{"", "", func(r io.Reader) io.Reader { return r }},
		{"gzip", "gzip", func(r io.Reader) io.Reader { z, _ := gzip.NewReader(r); return z }},
		{"gzip, Snappy", "snappy", func(r io.Reader) io.Reader { return s2.NewReader(r) }},
		{"br", "identity", func(r io.Reader) io.Reader { return r }},
	} {
		header := ""
		if c.accept != "" {
			header = "accept-encoding: " + c.accept
		}
		m := b.ask("big", header, "")
		if got, _ := field([]byte(m.header), "Content-Encoding"); got != c.encoding {
			t.Errorf("%q: encoded as %q, want %q", c.accept, got, c.encoding)
		}
		plain, err := io.ReadAll(c.open(bytes.NewReader(m.body)))
		if err != nil || !bytes.Contains(plain, []byte(strings.Repeat("x", 10000))) {
			t.Errorf("%q: %v, %d bytes", c.accept, err, len(plain))
		}
	}
}

// TestNobodyWaits floods a lane whose worker is stuck: the publisher must go on, and
// another lane must still answer.
func TestNobodyWaits(t *testing.T) {
	b := newBench(t, Options{})
	stuck, free := make(chan bool, 1), make(chan bool) // the first to be stuck may come before it is waited for
	b.service.Handle("slow", func(r *Request) {
		select {
		case stuck <- true:
		default:
		}
		<-free
	})
	b.service.HandleIn(Pings, "quick", func(r *Request) { r.Data("here") })
	b.start()
	b.broker.System().Publish("slow", "", nil, nil)
	<-stuck
	for range laneLength + 100 {
		b.broker.System().Publish("slow", "", nil, nil)
	}
	if m := b.ask("quick", "", ""); !bytes.Contains(m.body, []byte("here")) {
		t.Errorf("answer is %s", m.body)
	}
	if n := b.service.lanes.Dropped(Requests); n != 100 {
		t.Errorf("%d dropped, want 100", n)
	}
	close(free)
}

// TestFollowsSystemAccount moves the service with the system account.
func TestFollowsSystemAccount(t *testing.T) {
	b := newBench(t, Options{})
	b.service.Handle("who", func(r *Request) { r.Data(b.service.Account().Name()) })
	b.start()
	b.broker.AddAccount("SYS2")
	o := b.broker.Options()
	o.SystemAccount = "SYS2"
	commit, err := b.broker.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	commit, err = b.service.Prepare(Options{})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if m := b.ask("who", "", ""); !bytes.Contains(m.body, []byte("SYS2")) {
		t.Errorf("answer is %s", m.body)
	}
	if b.broker.Account("$SYS").Interested("who") {
		t.Error("still subscribed in the old account")
	}
}

// TestClientsAsk asks over a connection, and sees what is told to routes.
func TestClientsAsk(t *testing.T) {
	b := newBench(t, Options{})
	b.service.Handle("$SYS.REQ.ECHO", func(r *Request) { r.Data(r.Client != nil) })
	b.service.HandleLocal(Requests, "$SYS.REQ.HERE", func(r *Request) {})
	told := make(map[string]int)
	b.broker.System().Watch(func(c broker.Change) { told[c.Subject] = c.Count })
	b.start()
	if told["$SYS.REQ.ECHO"] != 1 || told["$SYS.REQ.HERE"] != 0 {
		t.Errorf("told of %v", told)
	}
	o := b.broker.Options()
	o.Authenticator = intoSystem{}
	commit, err := b.broker.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.broker.Serve(l); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPUB $SYS.REQ.ECHO a 0\r\n\r\n")
	in := bufio.NewScanner(c)
	for in.Scan() {
		if strings.Contains(in.Text(), `"data":true`) {
			return
		}
	}
	t.Errorf("no answer: %v", in.Err())
}
