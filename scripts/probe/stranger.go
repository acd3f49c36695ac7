package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// strangerReport is what a stranger came to.
type strangerReport struct {
	Attempts int      `json:"attempts"`
	Refused  int      `json:"refused"` // by a server that asked for credentials
	Let      int      `json:"let_in"`
	First    []string `json:"first,omitempty"` // the first few times that he was let in
}

// stranger publishes without credentials to each of the addresses, every 20 ms, until ctx ends. An
// attempt that takes long delays no other.
func stranger(ctx context.Context, addrs []string) strangerReport {
	var mu sync.Mutex
	var r strangerReport
	var running sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			running.Wait()
			return r
		case <-tick.C:
		}
		for _, addr := range addrs {
			running.Add(1)
			go func() {
				defer running.Done()
				began := time.Now()
				let, refused := intrude(addr)
				mu.Lock()
				defer mu.Unlock()
				r.Attempts++
				if refused {
					r.Refused++
				}
				if let {
					r.Let++
					if len(r.First) < 5 {
						r.First = append(r.First, fmt.Sprintf("%s at %s", addr, began.Format("15:04:05.000")))
					}
				}
			}()
		}
	}
}

// intrude publishes and asks for a PONG: with that the message has been taken.
func intrude(addr string) (let, refused bool) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO ") {
		return false, false
	}
	fmt.Fprint(conn, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPUB stranger 2\r\nhi\r\nPING\r\n")
	for {
		line, err := in.ReadString('\n')
		switch {
		case strings.HasPrefix(line, "PONG"):
			return true, refused
		case strings.HasPrefix(line, "-ERR"):
			refused = true
		}
		if err != nil {
			return false, refused
		}
	}
}
