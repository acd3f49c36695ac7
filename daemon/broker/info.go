package broker

import (
	"encoding/json"
	"strconv"
)

// Info is what a server tells a client about itself. Fields and their order are
// those of nats-server 2.15.2.
type Info struct {
	ServerID      string   `json:"server_id"`
	ServerName    string   `json:"server_name"`
	Version       string   `json:"version"`
	Proto         int      `json:"proto"`
	GitCommit     string   `json:"git_commit,omitempty"`
	Go            string   `json:"go"`
	Host          string   `json:"host"`
	Port          int      `json:"port"`
	Headers       bool     `json:"headers"`
	AuthRequired  bool     `json:"auth_required,omitempty"`
	TLSRequired   bool     `json:"tls_required,omitempty"`
	TLSVerify     bool     `json:"tls_verify,omitempty"`
	TLSAvailable  bool     `json:"tls_available,omitempty"`
	MaxPayload    int      `json:"max_payload"`
	JetStream     bool     `json:"jetstream,omitempty"`
	ClientID      uint64   `json:"client_id,omitempty"`
	ClientIP      string   `json:"client_ip,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	Cluster       string   `json:"cluster,omitempty"`
	Dynamic       bool     `json:"cluster_dynamic,omitempty"`
	Domain        string   `json:"domain,omitempty"`
	ConnectURLs   []string `json:"connect_urls,omitempty"`
	WSConnectURLs []string `json:"ws_connect_urls,omitempty"`
	LameDuck      bool     `json:"ldm,omitempty"`
	ConnectInfo   bool     `json:"connect_info,omitempty"`
	Account       string   `json:"remote_account,omitempty"`
	IsSystem      bool     `json:"acc_is_sys,omitempty"`
	APILevel      int      `json:"api_lvl,omitempty"`
	XKey          string   `json:"xkey,omitempty"`
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

// greeting is the INFO line for new connections, with a gap where what differs
// between connections goes.
type greeting struct {
	head, tail []byte
	payload    int
}

// newGreeting encodes i once for all connections. Its ClientID, ClientIP and Nonce
// are left out.
func newGreeting(i Info) *greeting {
	i.ClientID, i.ClientIP, i.Nonce = 1, "", ""
	line := i.frame()
	const mark = `"client_id":1`
	at := indexOf(line, mark)
	return &greeting{head: line[:at], tail: line[at+len(mark):], payload: i.MaxPayload}
}

func indexOf(b []byte, mark string) int {
	for i := 0; i+len(mark) <= len(b); i++ {
		if string(b[i:i+len(mark)]) == mark {
			return i
		}
	}
	panic("broker: INFO lacks client_id")
}

// append appends the line for one connection.
func (g *greeting) append(b []byte, cid uint64, ip, nonce string) []byte {
	b = append(b, g.head...)
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
	return append(b, g.tail...)
}

// ShownHost is the host that clients are told in INFO.
func (o Options) ShownHost() string {
	host, _, _ := o.advertised() // was checked
	return host
}
