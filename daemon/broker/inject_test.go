package broker

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// injectFrame calls f with a message as if a peer had sent it.
func injectFrame(subject, payload string, f func(*PeerPublisher, *proto.Frame)) {
	line := fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, len(payload), payload)
	transport.Inject([]byte(line), func(in *transport.Input) {
		var fr proto.Frame
		if _, _, err := proto.Next(in.Data, &proto.Limits{ControlLine: 1 << 20, Payload: 1 << 20}, &fr); err != nil {
			panic(err)
		}
		p := NewPeerPublisher(func(*Account, Entry) string { return "RMSG " })
		p.Begin(in)
		f(p, &fr)
		p.End()
	})
}
