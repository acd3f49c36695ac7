// Package transport moves bytes between the broker and its peers. It does not
// know what is said: clients and routes are types of other packages, each over one
// [Conn] and with a [Handler] of its own.
//
// # Reading
//
// Each connection has one goroutine, in [Conn.Serve]. It waits for readiness
// without a buffer; once data is there, everything happens in one callback of the
// runtime's poller: it takes a buffer from a pool, reads without blocking until
// nothing is left, hands what it has to the handler, and gives the buffer back
// before it waits again. An idle connection owns neither buffer nor scratch space.
//
// # Writing
//
// There is no writer goroutine. While a handler works on what was read, it
// collects what is to be sent, by destination, in a [batch.Batch]. At the end of the
// batch each destination's [Outbound] is locked once and, unless somebody is
// writing to it already, written to right away, without blocking. What the kernel
// does not take is queued, and a temporary goroutine writes it out when the
// descriptor is writable again. A slow peer therefore never delays a fast one: its
// queue is bounded, and beyond the bound it is cut off.
package transport
