package broker

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Info is what a server tells a client about itself. Fields and their order are
// those of nats-server 2.15.3.
type Info struct {
	proto.ServerInfo
	ClientID uint64 `json:"client_id,omitempty"`
	ClientIP string `json:"client_ip,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	proto.ClusterInfo
	ConnectInfo bool   `json:"connect_info,omitempty"`
	Account     string `json:"remote_account,omitempty"`
	IsSystem    bool   `json:"acc_is_sys,omitempty"`
	APILevel    int    `json:"api_lvl,omitempty"`
	XKey        string `json:"xkey,omitempty"`
}

// frame is the INFO line: nats-server puts a blank before its end.
func (i *Info) frame() []byte {
	body, err := json.Marshal(i)
	if err != nil {
		panic("broker: INFO cannot be encoded: " + err.Error()) // strings, numbers and booleans always can
	}
	line := make([]byte, 0, len(body)+len("INFO  \r\n"))
	line = append(line, "INFO "...)
	line = append(line, body...)
	return append(line, " \r\n"...)
}

// greeting is the INFO line for new connections, cut at the places where what differs
// between connections goes.
type greeting struct {
	head    []byte // up to the value of max_payload
	client  []byte // up to client_id
	account []byte // up to what is said of the account once it is known
	tail    []byte
	payload int
}

// newGreeting encodes i once for all connections. Its ClientID, ClientIP, Nonce and
// what it says of an account are left out.
func newGreeting(i Info) *greeting {
	i.ClientID, i.ClientIP, i.Nonce, i.ConnectInfo, i.Account, i.IsSystem = 1, "", "", true, "", false
	g := &greeting{payload: i.MaxPayload}
	rest := i.frame()
	g.head, rest = cutAround(rest, `"max_payload":`, strconv.Itoa(i.MaxPayload))
	g.head = g.head[:len(g.head)+len(`"max_payload":`)] // stays in front of the value
	g.client, rest = cutAround(rest, `"client_id":1`, "")
	g.account, g.tail = cutAround(rest, `,"connect_info":true`, "")
	return g
}

// cutAround cuts line around the first mark, and value behind it.
func cutAround(line []byte, mark, value string) (before, after []byte) {
	before, after, ok := bytes.Cut(line, []byte(mark+value))
	if !ok {
		panic("broker: INFO lacks " + mark)
	}
	return before, after
}

// line makes the line for one connection.
func (g *greeting) line(cid uint64, ip, nonce string) []byte {
	b := g.appendClient(make([]byte, 0, g.room()), g.payload, cid, ip, nonce)
	b = append(b, g.account...)
	return append(b, g.tail...)
}

// lineOf makes the line for a connection whose account is known; quoted is its name
// as JSON.
func (g *greeting) lineOf(quoted []byte, system bool, payload int, cid uint64, ip string) []byte {
	b := g.appendClient(make([]byte, 0, g.room()+len(quoted)), payload, cid, ip, "")
	b = append(b, g.account...)
	b = append(b, `,"connect_info":true,"remote_account":`...)
	b = append(b, quoted...)
	if system {
		b = append(b, `,"acc_is_sys":true`...)
	}
	return append(b, g.tail...)
}

// room is as much as a line takes, but for the name of an account.
func (g *greeting) room() int {
	return len(g.head) + len(g.client) + len(g.account) + len(g.tail) + 224
}

func (g *greeting) appendClient(b []byte, payload int, cid uint64, ip, nonce string) []byte {
	b = append(b, g.head...)
	b = strconv.AppendInt(b, int64(payload), 10)
	b = append(b, g.client...)
	b = append(b, `"client_id":`...)
	b = strconv.AppendUint(b, cid, 10)
	if ip != "" {
		b = append(b, `,"client_ip":"`...)
		b = append(b, ip...) // digits, letters of hexadecimal numbers, dots, colons
		b = append(b, '"')
	}
	if nonce != "" {
		b = append(b, `,"nonce":"`...)
		b = append(b, nonce...)
		b = append(b, '"')
	}
	return b
}

// ShownHost is the host that clients are told in INFO.
func (o Options) ShownHost() string {
	host, _, _ := o.advertised() // was checked
	return host
}
