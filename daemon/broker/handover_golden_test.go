package broker

import (
	"crypto/tls"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/internal/fieldstest"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// movedSample is a state in which no field is zero.
func movedSample() moved {
	return moved{
		id: "NSERVER", xkey: "XSERVER", lastCID: 300, total: 301, traffic: Traffic{1, 2, 3, 1 << 40},
		slow: 302, stale: 303, told: []byte("INFO {}\r\n"),
		accounts: []movedAccount{
			{name: "$G"},
			{
				name: "A", total: 310, slow: 311, traffic: Traffic{4, 5, 6, 7}, prefix: "_R_.prefix.",
				classes: []movedClass{{int64(2e9), 1}, {int64(1e9), 2}},
				replies: []movedReply{{"00id", "B", "reply.to", "export.>"}, {"01id", "C", "back", "x"}},
			},
		},
	}
}

// movedClientSamples are connections of every kind; between them no field is zero.
func movedClientSamples() []movedClient {
	plain := movedClient{
		cid: 7, socket: 1 << 33, network: "tcp", remote: "127.0.0.1:4000", start: 1700000000000000001, last: 1700000000000000002,
		heard: 1700000000000000003, nonce: "nonce", connected: true, ponged: true,
		connect: &ConnectOptions{
			ConnectInfo: proto.ConnectInfo{Echo: true, Verbose: true, Pedantic: true, TLSRequired: true,
				User: "user", Pass: "pass", Name: "name", Lang: "go", Headers: true},
			Nkey: "U", JWT: "jwt", Sig: "sig", Token: "token", Version: "1.2", Protocol: 1, Account: "A", NewAccount: true,
			NoResponders: true, ProxySig: "proxy",
		},
		account: "A", proof: []byte{1, 0, 2}, traffic: Traffic{8, 9, 10, 11}, pings: 2, pinged: 1700000000000000004, rtt: 123456,
		unread: []byte("PUB a 5\r\nhe"), unsent: []byte("lo\r\n"),
		subs:    []movedSub{{"a.>", "1", "q", 3, 4}, {"b", "22", "", 0, 0}},
		answers: []movedAnswer{{"_INBOX.x", 1700000000000000005, 2}},
	}
	sealed := movedClient{
		cid: 8, socket: 9, network: "unix", remote: "@", start: -1, connect: &ConnectOptions{},
		tls: &movedTLS{
			session: transport.Session{
				Suite: tls.TLS_AES_128_GCM_SHA256, FromPeer: []byte("secret 1"), FromPeerSeq: 1 << 50, ToPeer: []byte("secret 2"),
				ToPeerSeq: 13, Unopened: []byte{23, 3, 3}, Sealed: []byte{23}, Ahead: 14, Owed: 15,
			},
			first: true, serverName: "host.example", certs: [][]byte{{0x30, 0}, {0x30, 1, 0}},
		},
	}
	framed := movedClient{
		cid: 12, socket: 13, network: "tcp", remote: "192.0.2.7:0", connect: &ConnectOptions{}, door: "websocket", via: "127.0.0.1:4001",
		frames: &movedFrames{transport.Frames{
			Framing: transport.Framing{Unmasked: true, Deflate: true, Context: true, MaxPacked: 8 << 20},
			From: websocket.State{Open: true, Packed: true, Head: []byte{0x82}, InFrame: true, Op: websocket.Ping, Left: 14, Mask: 0xdeadbeef,
				Control: []byte("pi")},
			Raw: []byte{0xC2, 0x85}, Message: []byte("packed"), Whole: true, Came: 1 << 40, Head: []byte{126}, Left: 15, Kept: []byte("kept"),
			Ahead: 16, Spoke: []byte{0x8A, 0}, Last: []byte("the end of what was sent"),
		}},
	}
	return []movedClient{plain, sealed, framed, {cid: 10, socket: 11}}
}

// goldenState is a whole state with its connections read.
type goldenState struct {
	moved   moved
	clients []movedClient
}

func readGolden(b []byte) (any, error) {
	var g goldenState
	if err := fields.Read(b, &g.moved); err != nil {
		return nil, err
	}
	for _, p := range g.moved.clients {
		var c movedClient
		if err := fields.Read(p, &c); err != nil {
			return nil, err
		}
		g.clients = append(g.clients, c)
	}
	g.moved.clients = nil
	return g, nil
}

// States that versions before this one wrote are read to their last field. v2 knew no frames; v1 had its
// fields in another order.
func TestGoldenStates(t *testing.T) {
	m := movedSample()
	for _, c := range movedClientSamples() {
		m.clients = append(m.clients, fields.Append(nil, &c))
	}
	fieldstest.Golden(t, filepath.Join("testdata", "handover"), "v3", fields.Append(nil, &m), readGolden)
}

func TestEveryMovedFieldIsCarried(t *testing.T) {
	fieldstest.Complete[moved](t)
	fieldstest.Complete[movedAccount](t)
	fieldstest.Complete[movedClient](t, "movedClient.toSend", "State.head", "State.control")
	fieldstest.Complete[movedTLS](t)
	fieldstest.Complete[movedFrames](t, "State.head", "State.control")
	fieldstest.Complete[ConnectOptions](t)
}

// What is unsent is written by pieces, in its place.
func TestUnsentIsWrittenInItsPlace(t *testing.T) {
	want := movedClientSamples()[0]
	announced := want
	announced.unsent, announced.toSend = nil, len(want.unsent)
	b, gap, away := fields.AppendGap(nil, &announced)
	if away != len(want.unsent) {
		t.Fatalf("%d bytes are missing", away)
	}
	var got movedClient
	if err := fields.Read(slices.Concat(b[:gap], want.unsent, b[gap:]), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}
