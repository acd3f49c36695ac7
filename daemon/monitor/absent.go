package monitor

import "time"

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
