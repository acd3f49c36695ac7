package api

import "time"

// SnapshotRequest asks for a stream as an archive, in chunks on a subject.
type SnapshotRequest struct {
	DeliverSubject string `json:"deliver_subject"`
	NoConsumers    bool   `json:"no_consumers,omitempty"`
	ChunkSize      int    `json:"chunk_size,omitempty"`
	WindowSize     int    `json:"window_size,omitempty"` // bytes that may be under way
	Check          bool   `json:"jsck,omitempty"`        // what is read is always checked
}

// SnapshotAnswer says what the archive will hold.
type SnapshotAnswer struct {
	Answer
	Config *StreamConfig `json:"config,omitempty"`
	State  *StreamState  `json:"state,omitempty"`
}

// RestoreRequest asks for a stream to be made of an archive.
type RestoreRequest struct {
	Config StreamConfig `json:"config"`
	State  StreamState  `json:"state"`
}

// RestoreAnswer says where the archive is to be sent.
type RestoreAnswer struct {
	Answer
	DeliverSubject string `json:"deliver_subject"`
}

// ArchivedConsumer is a consumer in an archive.
type ArchivedConsumer struct {
	Config *ConsumerConfig `json:"config"`
	State  *ConsumerState  `json:"state"`
}

// ConsumerState is where a consumer is, as archives have it.
type ConsumerState struct {
	Delivered   SequenceInfo               `json:"delivered"`
	AckFloor    SequenceInfo               `json:"ack_floor"`
	Pending     map[uint64]PendingDelivery `json:"pending,omitempty"`
	Redelivered map[uint64]uint64          `json:"redelivered,omitempty"`
}

// PendingDelivery is a delivery that is not acknowledged.
type PendingDelivery struct {
	Sequence  uint64 // of the consumer
	Timestamp int64  // nanoseconds since 1970
}

// Window of a snapshot: what is asked for within what is allowed.
const (
	leastChunk  = 1 << 10
	usualChunk  = 128 << 10
	mostChunk   = 1 << 20
	usualWindow = 8 << 20
	mostWindow  = 32 << 20
)

// FlowPatience is how long it is waited for a chunk, or for word that one has come.
const FlowPatience = 5 * time.Second

// Chunks returns how large a chunk is, and how many may be under way.
func (q *SnapshotRequest) Chunks() (size, window int) {
	size, total := q.ChunkSize, q.WindowSize
	if size == 0 {
		size = usualChunk
	}
	if total == 0 {
		total = usualWindow
	}
	size = min(max(leastChunk, size), mostChunk)
	return size, max(min(max(leastChunk, total), mostWindow), size) / size
}
