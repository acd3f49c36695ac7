package cluster

import (
	"net"
	"net/url"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// info is what a server tells a peer about itself, or about a third one. The fields
// are those of nats-server 2.15.3 that mean something on routes; what has no field
// here is not passed on.
type info struct {
	proto.ServerInfo
	IP    string `json:"ip,omitempty"` // the URL by which to dial it
	Nonce string `json:"nonce,omitempty"`
	proto.ClusterInfo
	Compression string `json:"compression,omitempty"`

	Import *Rules `json:"import,omitempty"`
	Export *Rules `json:"export,omitempty"`

	// What the server understands of leaf nodes: LS+ and LMSG with an origin, LS- with one, and "_" in its place for none.
	LNOC  bool `json:"lnoc,omitempty"`
	LNOCU bool `json:"lnocu,omitempty"`
	LN    bool `json:"ln,omitempty"`
	// LeafURLs is where leaf nodes find the server; one at most.
	LeafURLs []string `json:"leafnode_urls,omitempty"`

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

// routeProto is the level of the protocol we speak: that of nats-server 2.15.3.
const routeProto = protoTraces

// protoAsyncInfo is the level from which a peer takes INFO at any time.
const protoAsyncInfo = 1

// protoTraces is the level from which a peer takes part in traces of messages.
const protoTraces = 3

func (i *info) frame() []byte { return peer.JSONFrame("INFO ", i, " \r\n") }

// address is where the server says that it listens for routes.
func (i *info) address() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// dial returns the URL by which to dial a server that we were told of.
func (i *info) dial() (*url.URL, error) { return url.Parse(i.IP) }

// connect is what the side that dials presents.
type connect struct {
	proto.ConnectInfo
	Cluster string `json:"cluster"`
	Dynamic bool   `json:"cluster_dynamic,omitempty"`
	LNOC    bool   `json:"lnoc,omitempty"` // as in info
	LNOCU   bool   `json:"lnocu,omitempty"`
	LN      bool   `json:"ln,omitempty"`

	Gateway string `json:"gateway,omitempty"` // gateways say it
}

func (c *connect) frame() []byte { return peer.JSONFrame("CONNECT ", c, "\r\n") }
