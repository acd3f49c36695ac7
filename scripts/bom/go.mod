module github.com/nats-broker/nats-broker/scripts/bom

go 1.26.0
