package api

import "time"

// Answer is what every answer begins with.
type Answer struct {
	Type  string `json:"type"`
	Error *Error `json:"error,omitempty"`
}

// Page is where a list is.
type Page struct {
	Total  int `json:"total"`
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

// Longest pages.
const (
	MaxNames    = 1024
	MaxList     = 256
	MaxSubjects = 100_000
)

// StreamState is what a stream holds.
type StreamState struct {
	Msgs        uint64            `json:"messages"`
	Bytes       uint64            `json:"bytes"`
	FirstSeq    uint64            `json:"first_seq"`
	FirstTime   time.Time         `json:"first_ts"`
	LastSeq     uint64            `json:"last_seq"`
	LastTime    time.Time         `json:"last_ts"`
	NumSubjects int               `json:"num_subjects,omitempty"`
	Subjects    map[string]uint64 `json:"subjects,omitempty"`
	NumDeleted  int               `json:"num_deleted,omitempty"`
	Deleted     []uint64          `json:"deleted,omitempty"`
	Lost        *Lost             `json:"lost,omitempty"`
	Consumers   int               `json:"consumer_count"`
}

// Lost is what was stored and cannot be read any more.
type Lost struct {
	Msgs  []uint64 `json:"msgs"`
	Bytes uint64   `json:"bytes"`
}

// Cluster says where a stream is kept.
type Cluster struct {
	Name   string `json:"name,omitempty"`
	Leader string `json:"leader,omitempty"`
}

// StreamInfo is a stream as it is.
type StreamInfo struct {
	Config  *StreamConfig `json:"config"`
	Created time.Time     `json:"created"`
	State   StreamState   `json:"state"`
	Domain  string        `json:"domain,omitempty"`
	Cluster *Cluster      `json:"cluster,omitempty"`
	Mirror  *SourceInfo   `json:"mirror,omitempty"`
	Sources []*SourceInfo `json:"sources,omitempty"`
	Now     time.Time     `json:"ts"`
}

// CreateAnswer answers the creation of a stream.
type CreateAnswer struct {
	Answer
	*StreamInfo
	DidCreate bool `json:"did_create,omitempty"`
}

// UpdateAnswer answers the change of a stream.
type UpdateAnswer struct {
	Answer
	*StreamInfo
}

// InfoAnswer answers the question for one stream.
type InfoAnswer struct {
	Answer
	Page
	*StreamInfo
}

// NamesAnswer lists streams by name.
type NamesAnswer struct {
	Answer
	Page
	Streams []string `json:"streams"`
}

// ListAnswer lists streams.
type ListAnswer struct {
	Answer
	Page
	Streams []*StreamInfo     `json:"streams"`
	Missing []string          `json:"missing,omitempty"`
	Offline map[string]string `json:"offline,omitempty"`
}

// DoneAnswer says that something was done.
type DoneAnswer struct {
	Answer
	Success bool `json:"success,omitempty"`
}

// PurgeAnswer says how many messages went.
type PurgeAnswer struct {
	Answer
	Success bool   `json:"success,omitempty"`
	Purged  uint64 `json:"purged"`
}

// InitiatedAnswer says that something was begun.
type InitiatedAnswer struct {
	Answer
	Initiated bool `json:"initiated,omitempty"`
}

// GetAnswer carries a message.
type GetAnswer struct {
	Answer
	Message *Message `json:"message,omitempty"`
}

// Message is a stored message.
type Message struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Header  []byte    `json:"hdrs,omitempty"`
	Data    []byte    `json:"data,omitempty"`
	Time    time.Time `json:"time"`
}

// AccountLimits bound what an account may store; -1: no limit.
type AccountLimits struct {
	MaxMemory            int64 `json:"max_memory"`
	MaxStore             int64 `json:"max_storage"`
	MaxStreams           int   `json:"max_streams"`
	MaxConsumers         int   `json:"max_consumers"` // of a stream
	MaxAckPending        int   `json:"max_ack_pending"`
	MemoryMaxStreamBytes int64 `json:"memory_max_stream_bytes"`
	StoreMaxStreamBytes  int64 `json:"storage_max_stream_bytes"`
	MaxBytesRequired     bool  `json:"max_bytes_required"`
}

// Tier is what is used of limits.
type Tier struct {
	Memory         uint64        `json:"memory"`
	Store          uint64        `json:"storage"`
	ReservedMemory uint64        `json:"reserved_memory"`
	ReservedStore  uint64        `json:"reserved_storage"`
	Streams        int           `json:"streams"`
	Consumers      int           `json:"consumers"`
	Limits         AccountLimits `json:"limits"`
}

// Requests counts requests that were answered.
type Requests struct {
	Level  int    `json:"level"`
	Total  uint64 `json:"total"`
	Errors uint64 `json:"errors"`
}

// AccountInfo is what an account uses.
type AccountInfo struct {
	Tier
	Domain string          `json:"domain,omitempty"`
	API    Requests        `json:"api"`
	Tiers  map[string]Tier `json:"tiers,omitempty"`
}

// AccountAnswer answers the question for the account.
type AccountAnswer struct {
	Answer
	*AccountInfo
}
