package leaf

import (
	"net"
	"slices"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// info is what a server tells a peer about itself. The fields are those of nats-server 2.15.3 that
// mean something between hub and leaf node.
type info struct {
	proto.ServerInfo
	IP    string `json:"ip,omitempty"`
	CID   uint64 `json:"client_id,omitempty"`
	Nonce string `json:"nonce,omitempty"`
	proto.ClusterInfo
	Compression string `json:"compression,omitempty"`
	APILevel    int    `json:"api_lvl,omitempty"`

	Import *Rules `json:"import,omitempty"` // what may come down to the leaf node
	Export *Rules `json:"export,omitempty"` // what it may send up

	LeafURLs      []string `json:"leafnode_urls,omitempty"`
	RemoteAccount string   `json:"remote_account,omitempty"`
	SystemAccount bool     `json:"acc_is_sys,omitempty"`
	InfoOnConnect bool     `json:"info_on_connect,omitempty"` // this INFO is answered by CONNECT, and that by another INFO
	ConnectInfo   bool     `json:"connect_info,omitempty"`    // this is that

	Gateway string `json:"gateway,omitempty"` // gateways say it
}

// leafProto is the level of the protocol we speak: that of nats-server 2.15.3.
const leafProto = protoTraces

// protoTraces is the level from which a peer takes part in traces of messages.
const protoTraces = 3

// apiLevel is that of JetStream.
const apiLevel = 5

func (i *info) frame() []byte { return peer.JSONFrame("INFO ", i, "\r\n") }

// connect is what the side that dials presents.
type connect struct {
	Version       string   `json:"version,omitempty"`
	Nkey          string   `json:"nkey,omitempty"`
	JWT           string   `json:"jwt,omitempty"`
	Sig           string   `json:"sig,omitempty"`
	User          string   `json:"user,omitempty"`
	Pass          string   `json:"pass,omitempty"`
	Token         string   `json:"auth_token,omitempty"`
	ID            string   `json:"server_id,omitempty"`
	Domain        string   `json:"domain,omitempty"`
	Name          string   `json:"name,omitempty"`
	Hub           bool     `json:"is_hub,omitempty"`
	Cluster       string   `json:"cluster,omitempty"`
	Headers       bool     `json:"headers,omitempty"`
	JetStream     bool     `json:"jetstream,omitempty"`
	DenyPub       []string `json:"deny_pub,omitempty"`
	Isolate       bool     `json:"isolate,omitempty"`
	Compression   string   `json:"compress_mode,omitempty"`
	Gateway       string   `json:"gateway,omitempty"` // gateways say it
	RemoteAccount string   `json:"remote_account,omitempty"`
	Proto         int      `json:"protocol,omitempty"`

	Lang     string `json:"lang,omitempty"` // clients say it
	ProxySig string `json:"proxy_sig,omitempty"`
}

func (c *connect) frame() []byte { return peer.JSONFrame("CONNECT ", c, "\r\n") }

// ownInfo is what a peer is told about this server.
func (s *Server) ownInfo(l *Link) *info {
	o := s.opts.Load()
	i := &info{
		ServerInfo: proto.ServerInfo{
			ServerID: s.broker.ID(), ServerName: o.ServerName, Version: o.Version, Proto: leafProto,
			GitCommit: o.GitCommit, Go: o.GoVersion, Host: o.Host, Port: o.Port, Headers: o.Headers,
			AuthRequired: true, MaxPayload: o.MaxPayload, JetStream: o.JetStream,
		},
		ClusterInfo: proto.ClusterInfo{Cluster: s.broker.Options().Cluster, Domain: o.Domain},
		CID:         l.id, Nonce: l.nonce, InfoOnConnect: true, APILevel: apiLevel,
	}
	if i.ServerName == "" {
		i.ServerName = i.ServerID
	}
	if o.TLS != nil {
		t := o.TLS.Options()
		i.TLSRequired, i.TLSVerify = true, t.Verify
	}
	if o.Advertise != "" {
		i.Host, i.Port = splitAdvertised(o.Advertise, o.Port)
	}
	i.IP = "nats-leaf://" + net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) + "/"
	if !o.NoAdvertise {
		i.LeafURLs = s.places(o, i)
	}
	if others := s.others.Load(); others != nil {
		for _, u := range *others {
			if !slices.Contains(i.LeafURLs, u) {
				i.LeafURLs = append(i.LeafURLs, u)
			}
		}
	}
	return i
}

// SetOthers changes where leaf nodes find the other servers of the cluster. Those that have dialled us are told.
func (s *Server) SetOthers(urls []string) {
	if old := s.others.Load(); old != nil && slices.Equal(*old, urls) || old == nil && len(urls) == 0 {
		return
	}
	s.others.Store(&urls)
	for _, l := range s.registered() {
		if l.dialer == nil {
			l.Out.Send(s.ownInfo(l).frame())
		}
	}
}

// Renamed has the hubs know us by the cluster's new name: those that are dialled are dialled anew.
func (s *Server) Renamed() {
	for _, l := range s.registered() {
		if l.dialer != nil {
			l.Abort(&refusal{reason: "Cluster Name Conflict"})
		}
	}
}

// places are where leaf nodes find this server.
func (s *Server) places(o *Options, i *info) []string {
	if o.Advertise != "" {
		return []string{net.JoinHostPort(i.Host, strconv.Itoa(i.Port))}
	}
	if ip := net.ParseIP(o.Host); ip != nil && !ip.IsUnspecified() || ip == nil && o.Host != "" {
		return []string{net.JoinHostPort(o.Host, strconv.Itoa(o.Port))}
	}
	var list []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			list = append(list, net.JoinHostPort(ip.IP.String(), strconv.Itoa(o.Port)))
		}
	}
	return list
}

func splitAdvertised(a string, port int) (string, int) {
	host, text, err := net.SplitHostPort(a)
	if err != nil {
		return a, port
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		port = n
	}
	return host, port
}
