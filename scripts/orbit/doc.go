// Package orbit has the batches and counters of orbit.go, the public extensions of nats.go, do the same with nats-server and with
// nats-broker, and compares what comes of each step and what streams hold in the end:
//
//	cd scripts/orbit && go test ./...
package orbit
