package broker

import (
	"net"
	"sync"
	"sync/atomic"
)

// porters are the goroutines on which connections arrive. One that has let a connection in waits for another: its stack
// has grown to what that takes, and a new one would have to grow it again, a thirtieth of what it costs to connect and
// close.
type porters struct {
	next chan newcomer // without a buffer: somebody must be waiting
	idle atomic.Int32
	all  sync.WaitGroup
}

// newcomer is a connection that has been accepted.
type newcomer struct {
	nc net.Conn
	by *passage
}

// idlePorters is how many wait at most. There are as many more as connections are arriving.
const idlePorters = 4

// port lets connections in, each of which counts as work until it has arrived.
func (b *Broker) port(n newcomer) {
	p := &b.porters
	for {
		b.serve(n.nc, n.by)
		n = newcomer{} // it is closed one day, and should not be kept until the next one comes
		b.work.Done()
		if p.idle.Add(1) > idlePorters {
			p.idle.Add(-1)
			return
		}
		select {
		case n = <-p.next:
			p.idle.Add(-1)
		case <-b.stopping:
			p.idle.Add(-1)
			return
		}
	}
}
