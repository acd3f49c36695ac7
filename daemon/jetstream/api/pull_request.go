package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// PullRequest is what somebody asks a consumer for.
type PullRequest struct {
	Expires   time.Duration `json:"expires,omitempty"`
	Batch     int           `json:"batch,omitempty"`
	MaxBytes  int           `json:"max_bytes,omitempty"`
	NoWait    bool          `json:"no_wait,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`

	Group         string `json:"group,omitempty"`
	MinPending    int64  `json:"min_pending,omitempty"`
	MinAckPending int64  `json:"min_ack_pending,omitempty"`
	ID            string `json:"id,omitempty"`
	Priority      int    `json:"priority,omitempty"`

	Plain bool `json:"-"` // it is no object, and says nothing of groups
}

// ParsePull reads a request for messages: an object, a number, or anything else for one message. The error
// is what the status 400 says behind "Bad Request - ".
func ParsePull(body []byte) (PullRequest, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		n, err := strconv.Atoi(string(body))
		if err != nil {
			n = 1
		}
		return PullRequest{Batch: n, Plain: true}, nil
	}
	var r PullRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return r, renamed(err)
	}
	if r.Heartbeat > 0 && r.Heartbeat > r.Expires/2 {
		return r, errors.New("heartbeat value too large")
	}
	return r, nil
}
