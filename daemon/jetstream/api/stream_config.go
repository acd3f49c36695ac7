package api

import (
	"maps"
	"slices"
	"time"
)

// StreamConfig is what a stream is asked to be. As a request gives it, numbers may be 0 where [StreamConfig.Check] puts
// a default.
type StreamConfig struct {
	Name              string            `json:"name"`
	Description       string            `json:"description,omitempty"`
	Subjects          []string          `json:"subjects,omitempty"`
	Retention         Retention         `json:"retention"`
	MaxConsumers      int               `json:"max_consumers"` // -1: no limit, here and below
	MaxMsgs           int64             `json:"max_msgs"`
	MaxBytes          int64             `json:"max_bytes"`
	MaxAge            time.Duration     `json:"max_age"` // 0: no limit
	MaxMsgsPerSubject int64             `json:"max_msgs_per_subject"`
	MaxMsgSize        int32             `json:"max_msg_size,omitempty"` // header and payload
	Discard           Discard           `json:"discard"`
	Storage           Storage           `json:"storage"`
	Replicas          int               `json:"num_replicas"`
	NoAck             bool              `json:"no_ack,omitempty"`
	DuplicateWindow   time.Duration     `json:"duplicate_window,omitempty"` // 0: none
	Placement         *Placement        `json:"placement,omitempty"`
	Mirror            *Source           `json:"mirror,omitempty"`
	Sources           []*Source         `json:"sources,omitempty"`
	Compression       Compression       `json:"compression"`
	FirstSeq          uint64            `json:"first_seq,omitempty"`
	SubjectTransform  *Transform        `json:"subject_transform,omitempty"`
	Republish         *Republish        `json:"republish,omitempty"`
	AllowDirect       bool              `json:"allow_direct"`
	MirrorDirect      bool              `json:"mirror_direct"`
	DiscardNewPer     bool              `json:"discard_new_per_subject,omitempty"`
	Sealed            bool              `json:"sealed"`
	DenyDelete        bool              `json:"deny_delete"`
	DenyPurge         bool              `json:"deny_purge"`
	AllowRollup       bool              `json:"allow_rollup_hdrs"`
	ConsumerLimits    ConsumerLimits    `json:"consumer_limits"`
	AllowMsgTTL       bool              `json:"allow_msg_ttl"`
	DeleteMarkerTTL   time.Duration     `json:"subject_delete_marker_ttl,omitempty"`
	AllowCounter      bool              `json:"allow_msg_counter,omitempty"`
	AllowAtomic       bool              `json:"allow_atomic,omitempty"`
	AllowSchedules    bool              `json:"allow_msg_schedules,omitempty"`
	PersistMode       Persist           `json:"persist_mode,omitempty"`
	AllowBatched      bool              `json:"allow_batched,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// ConsumerLimits are what consumers of a stream may ask for at most; 0: anything.
type ConsumerLimits struct {
	InactiveThreshold time.Duration `json:"inactive_threshold,omitempty"`
	MaxAckPending     int           `json:"max_ack_pending,omitempty"`
}

// Placement says which servers of a cluster may keep a stream.
type Placement struct {
	Cluster   string   `json:"cluster,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Preferred string   `json:"preferred,omitempty"`
}

// Transform rewrites the subject of a message before anything else is done with it.
type Transform struct {
	Source      string `json:"src"`
	Destination string `json:"dest"`
}

// Republish has stored messages published again.
type Republish struct {
	Source      string `json:"src,omitempty"`
	Destination string `json:"dest"`
	HeadersOnly bool   `json:"headers_only,omitempty"`
}

// Source is a stream whose messages another takes over.
type Source struct {
	Name          string          `json:"name"`
	StartSeq      uint64          `json:"opt_start_seq,omitempty"`
	StartTime     *time.Time      `json:"opt_start_time,omitempty"`
	FilterSubject string          `json:"filter_subject,omitempty"`
	Transforms    []Transform     `json:"subject_transforms,omitempty"`
	External      *External       `json:"external,omitempty"`
	Consumer      *SourceConsumer `json:"consumer,omitempty"`
}

// External is where a source's API is reached if not in the same account and domain.
type External struct {
	API     string `json:"api"`
	Deliver string `json:"deliver"`
}

// SourceConsumer is a durable consumer that was made for the purpose.
type SourceConsumer struct {
	Name           string `json:"name,omitempty"`
	DeliverSubject string `json:"deliver_subject,omitempty"`
}

// Clone returns a copy that shares nothing that may be changed.
func (c *StreamConfig) Clone() *StreamConfig {
	n := *c
	n.Subjects = slices.Clone(c.Subjects)
	n.Metadata = maps.Clone(c.Metadata)
	n.Placement, n.SubjectTransform, n.Republish = clone(c.Placement), clone(c.SubjectTransform), clone(c.Republish)
	n.Mirror = c.Mirror.clone()
	n.Sources = slices.Clone(c.Sources)
	for i, s := range n.Sources {
		n.Sources[i] = s.clone()
	}
	return &n
}

func (s *Source) clone() *Source {
	n := clone(s)
	if n != nil {
		n.StartTime, n.External, n.Consumer = clone(s.StartTime), clone(s.External), clone(s.Consumer)
		n.Transforms = slices.Clone(s.Transforms)
	}
	return n
}

// clone copies what p points to.
func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	n := *p
	return &n
}
