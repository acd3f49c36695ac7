// Module confdiff compares how nats-broker and nats-server read configuration,
// apart from the product's own dependencies.
module github.com/nats-broker/nats-broker/scripts/confdiff

go 1.26.0

require (
	github.com/nats-broker/nats-broker v0.0.0
	github.com/nats-io/nats-server/v2 v2.15.3
)

replace github.com/nats-broker/nats-broker => ../..
