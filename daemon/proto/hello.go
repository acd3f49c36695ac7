package proto

// What servers say first to whoever connects, and what they are answered, is the same
// for clients and for other servers in good part. It stands here once; each protocol adds
// its own fields. Names, and their order in INFO, are those of nats-server 2.15.3.

// ServerInfo is the first part of INFO: who the server is, and what it can.
type ServerInfo struct {
	ServerID     string `json:"server_id"`
	ServerName   string `json:"server_name"`
	Version      string `json:"version"`
	Proto        int    `json:"proto"`
	GitCommit    string `json:"git_commit,omitempty"`
	Go           string `json:"go,omitempty"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	Headers      bool   `json:"headers"`
	AuthRequired bool   `json:"auth_required,omitempty"`
	TLSRequired  bool   `json:"tls_required,omitempty"`
	TLSVerify    bool   `json:"tls_verify,omitempty"`
	TLSAvailable bool   `json:"tls_available,omitempty"`
	MaxPayload   int    `json:"max_payload"`
	JetStream    bool   `json:"jetstream,omitempty"`
}

// ClusterInfo is the part of INFO behind what it says of the connection itself: where the
// server belongs, and where else to connect.
type ClusterInfo struct {
	Cluster       string   `json:"cluster,omitempty"`
	Dynamic       bool     `json:"cluster_dynamic,omitempty"`
	Domain        string   `json:"domain,omitempty"`
	ConnectURLs   []string `json:"connect_urls,omitempty"`
	WSConnectURLs []string `json:"ws_connect_urls,omitempty"`
	LameDuck      bool     `json:"ldm,omitempty"`
}

// ConnectInfo is what CONNECT says of whoever connects, a client or a server.
type ConnectInfo struct {
	Echo        bool   `json:"echo"`
	Verbose     bool   `json:"verbose"`
	Pedantic    bool   `json:"pedantic"`
	TLSRequired bool   `json:"tls_required"`
	User        string `json:"user,omitempty"`
	Pass        string `json:"pass,omitempty"`
	Name        string `json:"name"`           // a server's is its id
	Lang        string `json:"lang,omitempty"` // servers leave it out
	Headers     bool   `json:"headers"`
}
