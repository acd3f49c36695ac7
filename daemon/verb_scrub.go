package daemon

import (
	"context"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// scrub has streams in files read and verified, on the conversation's goroutine. It ends with the storage if that comes first.
func (d *Daemon) scrub(ctx context.Context, req *control.Request, _ control.Peer) control.Response {
	var q control.Scrub
	if err := decodeQuestion(req, &q); err != nil {
		return control.Response{Error: err.Error()}
	}
	js := d.jetStream.server()
	if js == nil {
		return control.Answered(control.Scrubbed{}) // there is nothing to read
	}
	r, err := js.Scrub(ctx, q.Rate)
	if err != nil {
		return control.Response{Error: err.Error()}
	}
	return control.Answered(control.Scrubbed{Streams: r.Streams, Bytes: r.Bytes, Lost: r.Lost, Took: r.Took})
}
