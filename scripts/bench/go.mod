// Module bench measures nats-broker beside nats-server. It is a module of its
// own so that nothing it needs becomes a dependency of the product.
module github.com/nats-broker/nats-broker/scripts/bench

go 1.26.0

require golang.org/x/sys v0.49.0
