// Package natscli pins the operators' tool `nats`, which tests of nats-broker drive, in
// a module of its own: it brings more dependencies than all of the broker.
package natscli
