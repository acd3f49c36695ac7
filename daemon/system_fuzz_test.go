package daemon

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/sysd"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// systemSubjects are all that is asked in the system account, but for a reload, which
// needs a process around it.
func systemSubjects(id string) (list []string) {
	for _, name := range []string{"STATSZ", "IDZ", "VARZ", "CONNZ", "SUBSZ", "ROUTEZ", "GATEWAYZ", "LEAFZ", "ACCOUNTZ", "JSZ", "HEALTHZ",
		"EXPVARZ", "IPQUEUESZ", "RAFTZ", "PROFILEZ"} {
		list = append(list, "$SYS.REQ.SERVER.PING."+name)
	}
	for _, name := range []string{"CONNZ", "SUBSZ", "LEAFZ", "JSZ", "INFO", "STATZ", "CONNS"} {
		list = append(list, "$SYS.REQ.ACCOUNT.$G."+name, "$SYS.REQ.ACCOUNT.PING."+name)
	}
	own := "$SYS.REQ.SERVER." + id + "."
	return append(list, "$SYS.REQ.SERVER.PING", own+"KICK", own+"LDM", "$SYS.REQ.USER.INFO", "$SYS.REQ.USER.$G.INFO", "$SYS.DEBUG.SUBSCRIBERS",
		"$SYS.REQ.ACCOUNT.NSUBS", "$SYS.SERVER.x.STATSZ", "$SYS.SERVER.x.SHUTDOWN", "$SYS.SERVER.ACCOUNT.$G.CONNS", "$SYS._INBOX_."+id, "$SYS._INBOX.x.y")
}

// FuzzSystemRequests sends any body, with any Accept-Encoding, to all that takes
// requests or news in the system account. Nothing may fail, and what is behind it in
// the queues is still answered.
func FuzzSystemRequests(f *testing.F) {
	d := systemBench(f)
	sys := d.broker.System()
	subjects := systemSubjects(d.broker.ID())
	type answer struct {
		subject string
		header  string
		body    []byte
	}
	answers := make(chan answer, 4096)
	sub, err := sys.SubscribeInternal("fuzz.>", "", func(m *broker.Message) {
		answers <- answer{string(m.Subject), string(m.Header), bytes.Clone(m.Payload)}
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(sub.Unsubscribe)
	// News are taken from other servers only: they come as a route delivers them.
	peer := broker.NewPeerPublisher(func(*broker.Account, broker.Entry) string { return "" })
	f.Add(byte(3), []byte(`{"server_name":"x","auth":true,"limit":-1,"state":7}`), "gzip")
	f.Add(byte(0), []byte(`{"cluster":[]}`), "")
	f.Fuzz(func(t *testing.T, which byte, body []byte, accept string) {
		subject := subjects[int(which)%len(subjects)]
		var header []byte
		if accept != "" {
			header = []byte("NATS/1.0\r\nAccept-Encoding: " + accept + "\r\n\r\n")
		}
		if bytes.Contains(body, []byte("duration")) {
			return // a profile takes its time
		}
		sys.Publish(subject, "fuzz.answer", header, body)
		deliverAsPeer(peer, sys, subject, "fuzz.answer", body)
		marks := []string{"$SYS.REQ.SERVER.PING.STATSZ", "$SYS.REQ.SERVER.PING.HEALTHZ", "$SYS.REQ.ACCOUNT.NSUBS"}
		for i, m := range marks {
			sys.Publish(m, "fuzz.mark."+string(rune('0'+i)), nil, []byte(`{"acc":"$SYS"}`))
		}
		wait := time.NewTimer(time.Minute)
		defer wait.Stop()
		for marked := 0; marked < 2; { // there are no connections in $SYS to count
			select {
			case a := <-answers:
				if a.subject != "fuzz.answer" {
					marked++
					continue
				}
				if bytes.Contains(a.body, []byte("internal error")) {
					t.Fatalf("%s fails for %q: %s", subject, body, a.body)
				}
				if header == nil && len(a.body) > 0 && !json.Valid(a.body) {
					t.Fatalf("%s %q: the answer is no JSON: %q", subject, body, a.body)
				}
			case <-wait.C:
				t.Fatalf("%s: nothing is answered after %q", subject, body)
			}
		}
	})
}

// deliverAsPeer delivers a message as if another server had sent it.
func deliverAsPeer(p *broker.PeerPublisher, a *broker.Account, subject, reply string, body []byte) {
	transport.Inject(append(bytes.Clone(body), "\r\n"...), func(in *transport.Input) {
		p.Begin(in)
		p.Deliver(a, broker.Published, &proto.Frame{
			Op: proto.Pub, Subject: []byte(subject), Reply: []byte(reply), Body: in.Data, Hdr: -1,
			Size: len(body), SizeText: strconv.AppendInt(nil, int64(len(body)), 10),
		}, true, nil)
		p.End()
	})
}

// systemBench is a daemon of which only the system account runs.
func systemBench(t testing.TB) *Daemon {
	t.Helper()
	inv, err := config.ParseArgs([]string{"-p", "-1", "-l", "/dev/null"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Params{Identity: IdentityFor("nats-broker", Build{Version: "test"}), Invocation: inv, System: &sysd.Environment{Sockets: &sysd.Sockets{}}})
	if err != nil {
		t.Fatal(err)
	}
	if d.monitor.run, err = monitor.New(monitor.Options{}, d.monitorSource(), logging.Discard()); err != nil {
		t.Fatal(err)
	}
	if err := d.system.start(d.active.Load().cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.system.stop()
		d.broker.Stop()
		d.watcher.Stop()
		d.parts[0].stop()
	})
	return d
}
