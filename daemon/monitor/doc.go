// Package monitor is the broker's window: the HTTP endpoints every NATS tool
// reads (/varz, /connz, /routez …), Prometheus metrics at /metrics, and the
// dashboard at /ui/.
//
// # How it stays harmless
//
// Monitoring must never slow down what it watches. Three rules hold that:
//
//   - The package reads the broker only through the small interfaces in
//     source.go, which it owns. They hand over values, never locks or pointers
//     into the broker, so nothing here can hold a lock of the data path.
//   - Lists are paged at the source. Connections are visited one row at a time
//     into one reused row; a request for the top 50 of 10,000 keeps a heap of 50
//     rows (topk.go), and only those are then asked for their details.
//   - Answers that may be large are written in pieces through a small buffer
//     and at most a few of them at once (respond.go).
//
// # Parts
//
// [Reporter] computes the answers: one method for each endpoint, no HTTP in it,
// so that the system account's request subjects can give the same answers.
// [Monitor] owns listeners, access control, and the HTTP mapping of query
// parameters to a Reporter's options. metrics.go holds the one table of metrics,
// from which nats-broker-metrics(7) is made as well. ui.go serves the dashboard's
// files (web/, embedded) and api.go the JSON that its pages poll.
//
// # Compatibility
//
// Field names, units, order, omitted fields, status codes and error texts are
// those of nats-server 2.15.3, learned by asking it (compat_test.go asks again).
// Like 2.15.3, a ?callback= parameter is ignored: answers are plain JSON with
// "Access-Control-Allow-Origin: *", which replaced JSONP.
//
// # Life
//
//	New -> Start -> (Prepare -> Commit or Abort)* -> Stop
//
// Prepare opens the listeners that a new configuration adds, Commit switches
// over and closes those it dropped; a listener named by both stays open.
package monitor
