// Package peers holds no code. The go.mod beside it pins the servers that
// nats-broker is compared with, so that neither the product nor its tests
// depend on them: tests and scripts/bench build them from here.
package peers
