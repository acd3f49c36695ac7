package api

import (
	"maps"
	"slices"
	"time"
)

// ConsumerConfig is what a consumer is asked to be. As a request gives it, values may be missing where
// [ConsumerConfig.Check] puts a default.
type ConsumerConfig struct {
	Durable        string          `json:"durable_name,omitempty"`
	Name           string          `json:"name,omitempty"`
	Description    string          `json:"description,omitempty"`
	DeliverPolicy  DeliverPolicy   `json:"deliver_policy"`
	StartSeq       uint64          `json:"opt_start_seq,omitempty"`
	StartTime      *time.Time      `json:"opt_start_time,omitempty"`
	AckPolicy      AckPolicy       `json:"ack_policy"`
	AckWait        time.Duration   `json:"ack_wait,omitempty"`
	MaxDeliver     int             `json:"max_deliver,omitempty"` // -1: any number
	Backoff        []time.Duration `json:"backoff,omitempty"`
	FilterSubject  string          `json:"filter_subject,omitempty"`
	FilterSubjects []string        `json:"filter_subjects,omitempty"`
	ReplayPolicy   ReplayPolicy    `json:"replay_policy"`
	RateLimit      uint64          `json:"rate_limit_bps,omitempty"` // bits a second
	SampleFreq     string          `json:"sample_freq,omitempty"`    // per cent of acks
	MaxWaiting     int             `json:"max_waiting,omitempty"`
	MaxAckPending  int             `json:"max_ack_pending,omitempty"` // -1: any number
	FlowControl    bool            `json:"flow_control,omitempty"`
	HeadersOnly    bool            `json:"headers_only,omitempty"`

	MaxRequestBatch   int           `json:"max_batch,omitempty"`
	MaxRequestExpires time.Duration `json:"max_expires,omitempty"`
	MaxRequestBytes   int           `json:"max_bytes,omitempty"`

	DeliverSubject string        `json:"deliver_subject,omitempty"`
	DeliverGroup   string        `json:"deliver_group,omitempty"`
	Heartbeat      time.Duration `json:"idle_heartbeat,omitempty"`

	InactiveThreshold time.Duration     `json:"inactive_threshold,omitempty"` // 0: it stays
	Replicas          int               `json:"num_replicas"`
	MemoryStorage     bool              `json:"mem_storage,omitempty"`
	Direct            bool              `json:"direct,omitempty"`
	Sourcing          bool              `json:"sourcing,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	PauseUntil        *time.Time        `json:"pause_until,omitempty"`

	PriorityGroups  []string       `json:"priority_groups,omitempty"`
	PriorityPolicy  PriorityPolicy `json:"priority_policy,omitempty"`
	PriorityTimeout time.Duration  `json:"priority_timeout,omitempty"`
}

// Clone returns a copy that shares nothing that may be changed.
func (c *ConsumerConfig) Clone() *ConsumerConfig {
	n := *c
	n.StartTime, n.PauseUntil = clone(c.StartTime), clone(c.PauseUntil)
	n.Backoff, n.FilterSubjects = slices.Clone(c.Backoff), slices.Clone(c.FilterSubjects)
	n.PriorityGroups, n.Metadata = slices.Clone(c.PriorityGroups), maps.Clone(c.Metadata)
	return &n
}

// Filters returns the subjects asked for; none: every subject.
func (c *ConsumerConfig) Filters() []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// Push reports whether the consumer delivers by itself.
func (c *ConsumerConfig) Push() bool { return c.DeliverSubject != "" }

// SequenceInfo is a message by its number in the consumer and in the stream.
type SequenceInfo struct {
	Consumer uint64     `json:"consumer_seq"`
	Stream   uint64     `json:"stream_seq"`
	Last     *time.Time `json:"last_active,omitempty"`
}

// GroupState is the state of a priority group.
type GroupState struct {
	Group  string    `json:"group"`
	Pinned string    `json:"pinned_client_id,omitempty"`
	Since  time.Time `json:"pinned_ts"`
}

// ConsumerInfo is a consumer as it is.
type ConsumerInfo struct {
	Stream         string          `json:"stream_name"`
	Name           string          `json:"name"`
	Created        time.Time       `json:"created"`
	Config         *ConsumerConfig `json:"config,omitempty"`
	Delivered      SequenceInfo    `json:"delivered"`
	AckFloor       SequenceInfo    `json:"ack_floor"`
	NumAckPending  int             `json:"num_ack_pending"`
	NumRedelivered int             `json:"num_redelivered"`
	NumWaiting     int             `json:"num_waiting"`
	NumPending     uint64          `json:"num_pending"`
	PushBound      bool            `json:"push_bound,omitempty"`
	Paused         bool            `json:"paused,omitempty"`
	PauseRemaining time.Duration   `json:"pause_remaining,omitempty"`
	Now            time.Time       `json:"ts"`
	Groups         []GroupState    `json:"priority_groups,omitempty"`

	// Idle is why nothing is delivered; a key of our own.
	Idle string `json:"idle,omitempty"`
}

// ConsumerRequest asks for a consumer.
type ConsumerRequest struct {
	Stream   string         `json:"stream_name"`
	Config   ConsumerConfig `json:"config"`
	Action   Action         `json:"action"`
	Pedantic bool           `json:"pedantic,omitempty"`
}

// PauseRequest asks a consumer to rest until a time; without one it goes on.
type PauseRequest struct {
	Until time.Time `json:"pause_until,omitempty"`
}

// UnpinRequest asks for another client to be pinned.
type UnpinRequest struct {
	Group string `json:"group"`
}

// ResetRequest asks a consumer to begin again, behind its acks or at a sequence.
type ResetRequest struct {
	Seq uint64 `json:"seq,omitempty"`
}

// ConsumerAnswer answers the creation of a consumer, and the question for one.
type ConsumerAnswer struct {
	Answer
	*ConsumerInfo
}

// ConsumerNamesAnswer lists consumers by name.
type ConsumerNamesAnswer struct {
	Answer
	Page
	Consumers []string `json:"consumers"`
}

// ConsumerListAnswer lists consumers.
type ConsumerListAnswer struct {
	Answer
	Page
	Consumers []*ConsumerInfo   `json:"consumers"`
	Missing   []string          `json:"missing,omitempty"`
	Offline   map[string]string `json:"offline,omitempty"`
}

// PauseAnswer says whether a consumer rests, and for how long.
type PauseAnswer struct {
	Answer
	Paused    bool          `json:"paused"`
	Until     time.Time     `json:"pause_until"`
	Remaining time.Duration `json:"pause_remaining,omitempty"`
}

// ResetAnswer says where a consumer begins again.
type ResetAnswer struct {
	Answer
	*ConsumerInfo
	Seq uint64 `json:"reset_seq"`
}
