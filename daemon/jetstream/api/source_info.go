package api

import "time"

// SourceInfo is an origin of a stream, and how far the stream is with it.
type SourceInfo struct {
	Name          string        `json:"name"`
	External      *External     `json:"external,omitempty"`
	Lag           uint64        `json:"lag"`           // messages that the origin has and has not delivered
	Seq           uint64        `json:"seq,omitempty"` // of a source: the last message that was taken
	Active        time.Duration `json:"active"`        // since something was heard; -1: nothing was
	Error         *Error        `json:"error,omitempty"`
	FilterSubject string        `json:"filter_subject,omitempty"`
	Transforms    []Transform   `json:"subject_transforms,omitempty"`
}

// OriginAnswer is what an origin says of the consumer that was asked for or reset.
type OriginAnswer struct {
	Error  *Error `json:"error"`
	Name   string `json:"name"`
	Config *struct {
		DeliverSubject string `json:"deliver_subject"`
		AckPolicy      string `json:"ack_policy"`
	} `json:"config"`
	Delivered struct {
		Stream uint64 `json:"stream_seq"`
	} `json:"delivered"`
	Pending uint64 `json:"num_pending"`
}

// OriginState is what an origin says of itself.
type OriginState struct {
	Error *Error `json:"error"`
	State struct {
		Last uint64 `json:"last_seq"`
	} `json:"state"`
}

// SourceLevels are what an origin is asked for: the level of one that knows of identities, and of one that makes consumers of the
// kind that follow.
const (
	IdentityLevel = "5"
	SourcingLevel = "4"
)

// Headers of requests to origins.
const (
	RequiredLevelHeader  = "Nats-Required-Api-Level"
	StreamIdentityHeader = "Nats-Stream-Identity"
)
