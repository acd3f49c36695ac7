// Package api is what clients and JetStream say to each other: subjects, requests, answers, errors,
// advisories, and the configuration of a stream with its defaults and checks. It is pure: no clock, no
// i/o, no state; what a check must know of the server is handed in as [Surroundings].
//
// The JSON forms are those of nats-server 2.15.3 at API level 5, down to the order of fields and the
// texts of errors, since clients and people search for them.
package api

// Level is the API level that these forms are of.
const Level = 5

// ServerVersion is the version of nats-server whose API this is; clients ask assets for it.
const ServerVersion = "2.15.3"
