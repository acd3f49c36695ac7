// Package config turns what an administrator wrote into the typed [Options] that the subsystems are made from.
//
// One table, the registry, says everything about an option: its names, its kind and unit, its default, what a change of
// it needs, whether it is a secret, whether its feature is built, and one line of documentation. Decoding, unknown-field
// errors, flags, the environment, defaults, the reload report, `config explain`, shell completion and the option tables
// of nats.conf(5) are all made from that table, so that none of them can say something the others do not.
//
// # The way of a setting
//
//	built-in defaults  ┐
//	main file, includes│
//	drop-ins           ├─> one tree, every value with its layer and place ──> decode ──> complete ──> check ──> Config
//	NATS_BROKER_…      │         (layers*.go)                                 (decode*.go) (complete.go) (check*.go)
//	flags              ┘
//
// [Load] goes the whole way. It either returns a [Config] or an error that holds every mistake in the order of their
// places. Nothing here starts, opens or listens to anything; the only files read are the configuration's own, secrets
// that live in files, and certificates, which must be loadable for the configuration to be valid.
//
// # Adding an option
//
// Add the field to the struct it belongs to (options*.go) and one row to the table of its block (rows_*.go). A row's
// bind function says which field the value lands in; its Kind says how it is read. Nothing else needs to change. A new
// feature is switched on in one place, the table in feature.go.
package config
