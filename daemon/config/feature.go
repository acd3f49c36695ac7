package config

// A Feature is a part of the broker that options can belong to. Options of a feature that is not built are refused at
// their position, never ignored.
type Feature string

// The features. Core is always built.
const (
	Core         Feature = ""
	Auth         Feature = "authorization"
	Accounts     Feature = "accounts"
	Callouts     Feature = "auth callout"
	TLSServer    Feature = "TLS"
	Clustering   Feature = "clustering"
	Streams      Feature = "JetStream"
	Encryption   Feature = "JetStream encryption"
	Replication  Feature = "JetStream replication"
	Gateways     Feature = "gateways"
	LeafLinks    Feature = "leaf nodes"
	MQTT         Feature = "MQTT"
	WebSockets   Feature = "WebSocket"
	OperatorMode Feature = "operator mode"
	Proxies      Feature = "trusted proxies"
	ProxyLine    Feature = "PROXY protocol"
	OCSP         Feature = "OCSP"
	CertStore    Feature = "Windows certificate store"
	Tracing      Feature = "message tracing"

	LeafDomains   Feature = "JetStream domains of leaf nodes"
	LeafWebSocket Feature = "leaf nodes over WebSocket"
	LeafProxies   Feature = "HTTP proxies of leaf nodes"
)

// built is the one place where a feature is switched on. A feature that is missing here is not built.
var built = map[Feature]bool{
	Core:         true,
	Auth:         true,
	Accounts:     true,
	TLSServer:    true,
	Clustering:   true,
	LeafLinks:    true,
	Streams:      true,
	ProxyLine:    true,
	OperatorMode: true,
	Callouts:     true,
	Proxies:      true,
	WebSockets:   true,
	Tracing:      true,
}

// Built reports whether the options of feature f do anything in this build.
func (f Feature) Built() bool { return built[f] }
