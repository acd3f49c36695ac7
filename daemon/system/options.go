package system

import "time"

// Options configure a [Service]. What the broker knows of itself (name, id, cluster)
// is asked of it.
type Options struct {
	JetStream    bool   // the server keeps streams
	Domain       string // JetStream's
	Tags         []string
	Metadata     map[string]string
	FeatureFlags map[string]bool
	Build        string // the version of nats-broker

	// StatsInterval is how often the server tells others of itself: 10 s. After
	// the start it does so sooner, at intervals that double.
	StatsInterval time.Duration
	// ConnsInterval is how often it tells of accounts with connections: 30 s.
	ConnsInterval time.Duration
}

func (o Options) withDefaults() Options {
	if o.StatsInterval <= 0 {
		o.StatsInterval = 10 * time.Second
	}
	if o.ConnsInterval <= 0 {
		o.ConnsInterval = 30 * time.Second
	}
	return o
}

// Limits of queues. Requests beyond them are dropped, events too.
const (
	laneLength = 1024
	laneBytes  = 8 << 20
	maxEvents  = 4096
	maxAnswers = 8
)

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
