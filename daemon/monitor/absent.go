package monitor

import (
	"errors"
	"time"
)

// The subsystems below do not exist in this broker; they are answered as
// nats-server answers when they are not enabled.

// Gatewayz is what /gatewayz shows.
type Gatewayz struct {
	ID       string              `json:"server_id"`
	Now      time.Time           `json:"now"`
	Outbound map[string]struct{} `json:"outbound_gateways"`
	Inbound  map[string]struct{} `json:"inbound_gateways"`
}

// Gatewayz answers /gatewayz: there are none.
func (r *Reporter) Gatewayz() *Gatewayz {
	id, _ := r.identity()
	return &Gatewayz{ID: id, Now: r.now().UTC(), Outbound: map[string]struct{}{}, Inbound: map[string]struct{}{}}
}

// Leafz is what /leafz shows.
type Leafz struct {
	ID       string     `json:"server_id"`
	Now      time.Time  `json:"now"`
	NumLeafs int        `json:"leafnodes"`
	Leafs    []struct{} `json:"leafs"`
}

// Leafz answers /leafz: there are none.
func (r *Reporter) Leafz() *Leafz {
	id, _ := r.identity()
	return &Leafz{ID: id, Now: r.now().UTC(), Leafs: []struct{}{}}
}

// Jsz is what /jsz shows.
type Jsz struct {
	Memory          uint64    `json:"memory"`
	Storage         uint64    `json:"storage"`
	ReservedMemory  uint64    `json:"reserved_memory"`
	ReservedStorage uint64    `json:"reserved_storage"`
	Accounts        int       `json:"accounts"`
	HAAssets        int       `json:"ha_assets"`
	API             JszAPI    `json:"api"`
	ID              string    `json:"server_id"`
	Now             time.Time `json:"now"`
	Disabled        bool      `json:"disabled,omitempty"`
	Config          JszConfig `json:"config"`
	Streams         int       `json:"streams"`
	Consumers       int       `json:"consumers"`
	Messages        uint64    `json:"messages"`
	Bytes           uint64    `json:"bytes"`
	Total           int       `json:"total"`
}

// JszAPI counts JetStream requests.
type JszAPI struct {
	Level  int    `json:"level"`
	Total  uint64 `json:"total"`
	Errors uint64 `json:"errors"`
}

// JszConfig is JetStream's configuration.
type JszConfig struct {
	MaxMemory  int64 `json:"max_memory"`
	MaxStorage int64 `json:"max_storage"`
}

// errNotLeader refuses ?leader-only= on a server that leads nothing.
var errNotLeader = errors.New("filtered response: not leader")

// Jsz answers /jsz: JetStream is disabled.
func (r *Reporter) Jsz(leaderOnly bool) (*Jsz, error) {
	if leaderOnly {
		return nil, errNotLeader
	}
	id, _ := r.identity()
	return &Jsz{ID: id, Now: r.now().UTC(), Disabled: true}, nil
}
