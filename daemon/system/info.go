package system

import "time"

// ServerInfo says which server an answer or event comes from.
type ServerInfo struct {
	Name         string            `json:"name"`
	Host         string            `json:"host"`
	ID           string            `json:"id"`
	Cluster      string            `json:"cluster,omitempty"`
	Domain       string            `json:"domain,omitempty"`
	Version      string            `json:"ver"`
	Tags         []string          `json:"tags,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	FeatureFlags map[string]bool   `json:"feature_flags,omitempty"`
	JetStream    bool              `json:"jetstream"`
	Flags        uint64            `json:"flags"` // capabilities, as bits
	Seq          uint64            `json:"seq"`   // grows with everything the server sends
	Time         time.Time         `json:"time"`
	Build        string            `json:"nats_broker,omitempty"` // an extension: which nats-broker it is
}

// What Flags says of a server: bits.
const (
	keepsStreams    = 1 << 0 // JetStream is on
	snapshotsBinary = 1 << 1 // these two stand beside it in every nats-server of our version; they are about clusters of streams
	accountTraffic  = 1 << 2
)

// Event heads an event: what it is, and which one. Schema is of the form
// "io.nats.server.advisory.v1.client_connect".
type Event struct {
	Schema string    `json:"type"`
	ID     string    `json:"id"` // unique
	Time   time.Time `json:"timestamp"`
}

// Envelope is the answer to most requests. Exactly one of Data and Error is set, or
// neither, if all there is to say is that it is done.
type Envelope struct {
	Server *ServerInfo `json:"server"`
	Data   any         `json:"data,omitempty"`
	Error  *Error      `json:"error,omitempty"`
}

// Error is what went wrong, by an HTTP status.
type Error struct {
	Code        int    `json:"code"`
	ErrCode     uint16 `json:"err_code,omitempty"`
	Description string `json:"description,omitempty"`
}

func (e *Error) Error() string { return e.Description }

// identity describes this server but for Seq and Time.
func (s *Service) identity() ServerInfo {
	b, o := s.broker.Options(), s.opts.Load()
	i := ServerInfo{
		Name: b.ServerName, Host: b.ShownHost(), ID: s.broker.ID(), Cluster: b.Cluster, Version: b.Version,
		Domain: o.Domain, Tags: o.Tags, Metadata: o.Metadata, FeatureFlags: o.FeatureFlags, Build: o.Build,
	}
	if o.JetStream {
		i.JetStream, i.Flags = true, keepsStreams|snapshotsBinary|accountTraffic
	}
	return i
}
