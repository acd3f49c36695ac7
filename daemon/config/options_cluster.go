package config

import (
	"net/url"
	"time"
)

// Cluster is the cluster block: how servers connect to each other as routes. There is a cluster when Enabled.
type Cluster struct {
	Defined bool
	Name    string
	Host    string
	Port    int // 0: no route listener, -1: free port
	// User, Password and AuthTimeout are what accepted routes must present, and what is presented to routes whose URL
	// names no user. AuthTimeout 0: derived as for clients.
	Authorization Authorization
	TLS           TLS
	Routes        []*url.URL
	Advertise     string
	NoAdvertise   bool
	// ConnectRetries for implicit routes; 0: none. ConnectBackoff grows the pause between attempts.
	ConnectRetries int
	ConnectBackoff bool
	// Import limits the interest sent to peers, Export the interest taken from them.
	Permissions ClusterPermissions
	// PoolSize is the number of connections to each peer; -1 none pooled. Accounts get a connection of their own.
	PoolSize      int
	Accounts      []string
	Compression   Compression
	PingInterval  time.Duration // where not given, this and the next two are as for clients
	PingMax       int
	WriteDeadline time.Duration
	WriteTimeout  string
}

// Enabled reports whether routes are to be served or dialled.
func (c *Cluster) Enabled() bool { return c.Port != 0 }

// ClusterPermissions limit which subjects cross routes.
type ClusterPermissions struct {
	Defined bool
	Import  SubjectRules
	Export  SubjectRules
	// Responses is not possible on routes; it is decoded so that its place can be pointed at.
	Responses ResponseRule
}

// Compression of a route. Mode is normalised: "off", "accept", "s2_auto", "s2_uncompressed", "s2_fast", "s2_better" or
// "s2_best"; empty: not said. RTTThresholds are for s2_auto.
type Compression struct {
	Mode          string
	RTTThresholds []time.Duration
}

func (c *Cluster) define()            { c.Defined = true }
func (p *ClusterPermissions) define() { p.Defined = true }
