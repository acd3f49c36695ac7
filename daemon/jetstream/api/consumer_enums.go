package api

import (
	"fmt"
	"slices"
)

// DeliverPolicy says where a consumer begins.
type DeliverPolicy uint8

// Where a consumer begins.
const (
	DeliverAll DeliverPolicy = iota
	DeliverLast
	DeliverNew
	DeliverByStartSequence
	DeliverByStartTime
	DeliverLastPerSubject
)

var deliverPolicies = []string{"all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject"}

func (d DeliverPolicy) String() string               { return deliverPolicies[d] }
func (d DeliverPolicy) MarshalText() ([]byte, error) { return []byte(deliverPolicies[d]), nil }

// UnmarshalJSON reads the name; "undefined" is the default's.
func (d *DeliverPolicy) UnmarshalJSON(b []byte) error {
	if string(b) == `"undefined"` {
		*d = DeliverAll
		return nil
	}
	return word(b, deliverPolicies, (*uint8)(d))
}

// AckPolicy says which messages an ack is waited for.
type AckPolicy uint8

// Which messages are waited for.
const (
	AckNone AckPolicy = iota
	AckAll
	AckExplicit
	AckFlowControl
)

var ackPolicies = []string{"none", "all", "explicit", "flow_control"}

func (a AckPolicy) String() string                { return ackPolicies[a] }
func (a AckPolicy) MarshalText() ([]byte, error)  { return []byte(ackPolicies[a]), nil }
func (a *AckPolicy) UnmarshalJSON(b []byte) error { return word(b, ackPolicies, (*uint8)(a)) }

// ReplayPolicy says at what pace stored messages are delivered.
type ReplayPolicy uint8

// At what pace messages are delivered.
const (
	ReplayInstant ReplayPolicy = iota
	ReplayOriginal
)

var replayPolicies = []string{"instant", "original"}

func (r ReplayPolicy) String() string                { return replayPolicies[r] }
func (r ReplayPolicy) MarshalText() ([]byte, error)  { return []byte(replayPolicies[r]), nil }
func (r *ReplayPolicy) UnmarshalJSON(b []byte) error { return word(b, replayPolicies, (*uint8)(r)) }

// PriorityPolicy says how waiting requests are chosen.
type PriorityPolicy uint8

// How requests are chosen.
const (
	PriorityNone PriorityPolicy = iota
	PriorityOverflow
	PriorityPinned
	PriorityPrioritized
)

var priorityPolicies = []string{"none", "overflow", "pinned_client", "prioritized"}

func (p PriorityPolicy) String() string               { return priorityPolicies[p] }
func (p PriorityPolicy) MarshalText() ([]byte, error) { return []byte(priorityPolicies[p]), nil }
func (p *PriorityPolicy) UnmarshalJSON(b []byte) error {
	return named(b, priorityPolicies, (*uint8)(p), "priority policy")
}

// Action says what a request for a consumer may do.
type Action uint8

// What a request may do.
const (
	CreateOrUpdate Action = iota
	UpdateOnly
	CreateOnly
)

var actions = []string{"", "update", "create"}

func (a Action) String() string               { return actions[a] }
func (a Action) MarshalText() ([]byte, error) { return []byte(actions[a]), nil }
func (a *Action) UnmarshalJSON(b []byte) error {
	return named(b, actions, (*uint8)(a), "consumer action")
}

// named is word with the other text of its error.
func named(b []byte, words []string, v *uint8, what string) error {
	if n := len(b); n >= 2 && b[0] == '"' {
		if i := slices.Index(words, string(b[1:n-1])); i >= 0 {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("unknown %s: %s", what, b)
}
