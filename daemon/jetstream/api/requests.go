package api

import (
	"fmt"
	"time"
)

// MaxSequence is the highest sequence that a client may have a stream or a consumer begin or go on at. Those that follow it
// are counted in 62 bits.
const MaxSequence = 1_000_000_000_000_000_000

var sequenceTooHigh = fmt.Sprintf("sequence must not be above %d", uint64(MaxSequence))

// StreamRequest asks for a stream, or for a change of one.
type StreamRequest struct {
	StreamConfig
	Pedantic bool `json:"pedantic,omitempty"`
}

// PageRequest says where a page of a list begins.
type PageRequest struct {
	Offset int `json:"offset"`
}

// ConsumersRequest asks for consumers.
type ConsumersRequest struct {
	PageRequest
}

// NamesRequest asks for streams, those whose subjects meet Subject if it is given.
type NamesRequest struct {
	PageRequest
	Subject string `json:"subject,omitempty"`
}

// ListRequest asks for the same with what the streams hold.
type ListRequest NamesRequest

// InfoRequest says what an info is to hold besides the usual.
type InfoRequest struct {
	PageRequest
	Deleted  bool   `json:"deleted_details,omitempty"`
	Subjects string `json:"subjects_filter,omitempty"`
}

// PurgeRequest says what of a stream is to go: what is below Seq, or all but the newest Keep, of the subjects that match Filter.
type PurgeRequest struct {
	Seq    uint64 `json:"seq,omitempty"`
	Filter string `json:"filter,omitempty"`
	Keep   uint64 `json:"keep,omitempty"`
}

// Check returns what is wrong with the request by itself.
func (q *PurgeRequest) Check() *Error {
	switch {
	case q.Seq > 0 && q.Keep > 0:
		return BadRequest.Error()
	case q.Seq > MaxSequence:
		return Purge.Error(sequenceTooHigh)
	}
	return nil
}

// DeleteRequest asks for one message to go.
type DeleteRequest struct {
	Seq     uint64 `json:"seq"`
	NoErase bool   `json:"no_erase,omitempty"`
}

// GetRequest asks for messages: as one JSON answer, or directly.
type GetRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	Last      string     `json:"last_by_subj,omitempty"`
	Next      string     `json:"next_by_subj,omitempty"`
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	MultiLast []string   `json:"multi_last,omitempty"`
	UpToSeq   uint64     `json:"up_to_seq,omitempty"`
	UpToTime  *time.Time `json:"up_to_time,omitempty"`
	NoHeaders bool       `json:"no_hdr,omitempty"`
}
