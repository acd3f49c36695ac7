package cluster

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// fuzzHub is a hub that dials nobody.
func fuzzHub(f *testing.F) *Hub {
	b, err := broker.New(broker.Options{ServerName: "a", Cluster: "C"}, logging.Discard())
	if err != nil {
		f.Fatal(err)
	}
	h, err := New(b, Options{Name: "C", ServerName: "a", Headers: true, Export: rules("", "secret.>")}, logging.Discard())
	if err != nil {
		f.Fatal(err)
	}
	h.Sync()
	h.cancel() // whoever is dialled is given up at once
	f.Cleanup(func() { h.Stop(); b.Stop() })
	return h
}

// FuzzRoute: no bytes of a peer, before the handshake or behind it, make the hub panic,
// and when the connection has ended nothing is left of it.
func FuzzRoute(f *testing.F) {
	h := fuzzHub(f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	hello := connectLine("") + "\r\n" + infoLine(`,"route_pool_size":3,"compression":"off"`) + "\r\n"
	for _, s := range []string{
		hello, "RS+ $G foo\r\nRS+ $G foo q 3\r\nRS- $G foo\r\nRMSG $G foo + r q q2 2\r\nhi\r\n", "PING\r\nPONG\r\n-ERR 'x'\r\n",
		"HMSG $G foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", `INFO {"server_id":"N2","ip":"nats-route://127.0.0.1:1/","gossip_mode":2}` + "\r\n",
		`INFO {"route_account":"$G","route_acc_add_reqid":"1"}` + "\r\n" + "RS+ $G x\r\n", infoLine(`,"ldm":true`) + "\r\n",
		infoLine(`,"export":{"allow":["a.>"]},"connect_urls":["a:1"]`) + "\r\n", "LS+ hub $G foo q 2\r\nLMSG hub $G foo 0 2\r\nhi\r\nA- $G\r\n",
		strings.Replace(hello, `"off"`, `"s2_fast"`, 1), strings.Replace(hello, `"C"`, `"_"`, 2), "RS+ $G secret.x\r\nRS+ $G secret.>\r\nRS+ $G >\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, known bool) {
		other, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r := h.newRoute(nc, target{})
		if err := transport.NewConn(&r.Conn, nc); err != nil {
			t.Fatal(err)
		}
		r.watch(h.opts.Load())
		h.mu.Lock()
		h.routes[r] = struct{}{}
		h.mu.Unlock()
		if known {
			data = slices.Concat([]byte(hello), data)
		}
		why := error(nil)
		for len(data) > 0 && why == nil {
			used := 0
			transport.Inject(data, func(in *transport.Input) { used, _, why = r.Receive(in) })
			if data = data[used:]; used == 0 {
				break
			}
		}
		r.teardown(why)
		if n, _ := h.Peers(); n != 0 {
			t.Errorf("%d peers are left", n)
		}
		if a := h.broker.Account("$G"); a.Stats().Subscriptions != 0 {
			t.Errorf("%d subscriptions are left", a.Stats().Subscriptions)
		}
	})
}

// FuzzHello: what CONNECT and INFO may hold is decided without a panic, and INFO that is
// passed on says what it said.
func FuzzHello(f *testing.F) {
	for _, s := range []string{connectLine(""), infoLine(`,"import":{"deny":["a"]},"route_pool_size":-1`), infoLine(`,"ip":"nats-route://[::1]:1/"`)} {
		_, body, _ := strings.Cut(s, " ")
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c connect
		hs := handshake{id: "ME", name: "me", verify: func(a, b string) bool { return a == b }}
		if json.Unmarshal(body, &c) == nil {
			_, _ = hs.onConnect(&c, naming{"C", true})
		}
		var i info
		if json.Unmarshal(body, &i) != nil {
			return
		}
		_, _ = hs.onInfo(&i, naming{"C", true})
		_, _ = peer.Agree(peer.CompressAccept, i.Compression)
		i.locate(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		_, _ = i.dial()
		for _, p := range []string{"a", "a.*", ">"} {
			if i.Import.covers(p) && i.Import.divides(p) && !i.Import.passes([]byte("b")) && i.Import.Allow == nil && len(i.Import.Deny) == 0 {
				t.Error("denied by nothing")
			}
		}
		var again info
		frame := i.frame()
		if err := json.Unmarshal(frame[len("INFO "):len(frame)-3], &again); err != nil || again.ServerID != i.ServerID || again.IP != i.IP || again.PoolSize != i.PoolSize {
			t.Errorf("%s is passed on as %s: %v", body, frame, err)
		}
	})
}
