package cluster

import (
	"encoding/json"
	"net"
	"net/url"
	"strconv"
)

// info is what a server tells a peer about itself, or about a third one. The fields
// are those of nats-server 2.15.3 that mean something on routes; what has no field
// here is not passed on.
type info struct {
	ID           string   `json:"server_id"`
	Name         string   `json:"server_name"`
	Version      string   `json:"version"`
	Proto        int      `json:"proto"`
	GitCommit    string   `json:"git_commit,omitempty"`
	Go           string   `json:"go,omitempty"`
	Host         string   `json:"host"`
	Port         int      `json:"port"`
	Headers      bool     `json:"headers"`
	AuthRequired bool     `json:"auth_required,omitempty"`
	TLSRequired  bool     `json:"tls_required,omitempty"`
	TLSVerify    bool     `json:"tls_verify,omitempty"`
	MaxPayload   int      `json:"max_payload"`
	JetStream    bool     `json:"jetstream,omitempty"`
	IP           string   `json:"ip,omitempty"` // the URL by which to dial it
	Nonce        string   `json:"nonce,omitempty"`
	Cluster      string   `json:"cluster,omitempty"`
	Dynamic      bool     `json:"cluster_dynamic,omitempty"`
	Domain       string   `json:"domain,omitempty"`
	ConnectURLs  []string `json:"connect_urls,omitempty"`
	WSURLs       []string `json:"ws_connect_urls,omitempty"`
	LameDuck     bool     `json:"ldm,omitempty"`
	Compression  string   `json:"compression,omitempty"`

	Import *Rules `json:"import,omitempty"`
	Export *Rules `json:"export,omitempty"`

	LNOC  bool `json:"lnoc,omitempty"` // about leaf nodes; only passed on
	LNOCU bool `json:"lnocu,omitempty"`
	LN    bool `json:"ln,omitempty"`

	PoolSize int    `json:"route_pool_size,omitempty"`
	PoolIdx  int    `json:"route_pool_idx,omitempty"`
	Account  string `json:"route_account,omitempty"` // the connection serves this account alone
	ReqID    string `json:"route_acc_add_reqid,omitempty"`
	Gossip   byte   `json:"gossip_mode,omitempty"`

	Gateway string `json:"gateway,omitempty"`

	// SmallerPool is ours alone: between two servers that say it, and have pools of
	// different sizes, accounts belong to connections by the smaller size.
	SmallerPool bool `json:"route_pool_smaller,omitempty"`

	// Entries is ours alone: between two servers that say it, messages say how they came
	// into their account, and interest how much of it is in imports of streams.
	Entries bool `json:"route_entries,omitempty"`
}

// Values of info.Gossip: how who is told of a server shall tell others.
const (
	gossipDefault  = 0
	gossipDisabled = 1
	gossipOverride = 2
)

// routeProto is the level of the protocol we speak: that of nats-server 2.15.3 but
// for message tracing, which 3 would promise.
const routeProto = 1

// protoAsyncInfo is the level from which a peer takes INFO at any time.
const protoAsyncInfo = 1

func (i *info) frame() []byte { return jsonFrame("INFO ", i, " \r\n") }

// address is where the server says that it listens for routes.
func (i *info) address() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// dial returns the URL by which to dial a server that we were told of.
func (i *info) dial() (*url.URL, error) { return url.Parse(i.IP) }

// connect is what the side that dials presents.
type connect struct {
	Echo     bool   `json:"echo"`
	Verbose  bool   `json:"verbose"`
	Pedantic bool   `json:"pedantic"`
	User     string `json:"user,omitempty"`
	Pass     string `json:"pass,omitempty"`
	TLS      bool   `json:"tls_required"`
	Headers  bool   `json:"headers"`
	Name     string `json:"name"` // the server's id
	Cluster  string `json:"cluster"`
	Dynamic  bool   `json:"cluster_dynamic,omitempty"`

	Lang    string `json:"lang,omitempty"`    // clients say it, servers do not
	Gateway string `json:"gateway,omitempty"` // so do gateways
}

func (c *connect) frame() []byte { return jsonFrame("CONNECT ", c, "\r\n") }

func jsonFrame(verb string, v any, end string) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("cluster: " + verb + "cannot be encoded: " + err.Error()) // strings, numbers and booleans always can
	}
	return append(append([]byte(verb), body...), end...)
}

func errFrame(text string) []byte { return append(append([]byte("-ERR '"), text...), "'\r\n"...) }
