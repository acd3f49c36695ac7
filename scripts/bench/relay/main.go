// Command relay is the floor of a benchmark: the least that a program has to do to bring
// messages from a publisher to subscribers over the protocol of NATS. It speaks just
// enough of it (INFO, PING, SUB of one subject on a connection) and takes for granted that
// everybody subscribes to what is published, and that all messages of a publisher are
// like its first. Then it copies: one read, one header and one payload a message, one
// write for each subscriber.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

func main() {
	addr := flag.String("a", "127.0.0.1", "`address` to listen on")
	port := flag.Int("p", 4222, "`port` to listen on")
	version := flag.Bool("version", false, "print what this is and end")
	flag.Parse()
	if *version {
		fmt.Println("relay: a copy loop")
		return
	}
	l, err := net.Listen("tcp", net.JoinHostPort(*addr, strconv.Itoa(*port)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
	r := &relay{}
	r.subs.Store(&[]subscriber{})
	for {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			os.Exit(1)
		}
		go r.serve(c) // ends with the connection
	}
}

// relay knows who subscribed. Writers take the lock, readers a snapshot.
type relay struct {
	mu   sync.Mutex
	subs atomic.Pointer[[]subscriber]
}

type subscriber struct {
	conn net.Conn
	sid  string
}

func (r *relay) change(f func(old []subscriber) []subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := f(append([]subscriber(nil), *r.subs.Load()...))
	r.subs.Store(&list)
}

// serve handles one connection. A publisher's frames are all as long as its first.
func (r *relay) serve(c net.Conn) {
	defer c.Close()
	defer r.change(func(old []subscriber) []subscriber {
		kept := old[:0]
		for _, s := range old {
			if s.conn != c {
				kept = append(kept, s)
			}
		}
		return kept
	})
	if _, err := c.Write([]byte(`INFO {"server_id":"RELAY","version":"0","proto":1,"headers":true,"max_payload":8388608}` + "\r\n")); err != nil {
		return
	}
	in, held := make([]byte, 2<<20), 0
	p := publisher{relay: r}
	for {
		n, err := c.Read(in[held:])
		if err != nil {
			return
		}
		held += n
		used := 0
		for used < held {
			n := p.frame(in[used:held])
			if n == 0 {
				if n = r.line(c, &p, in[used:held]); n == 0 {
					break
				}
			}
			used += n
		}
		p.flush()
		held = copy(in, in[used:held])
	}
}

// line handles what is not a message: it returns its length, 0 if it is not complete.
func (r *relay) line(c net.Conn, p *publisher, b []byte) int {
	nl := bytes.IndexByte(b, '\n')
	if nl < 0 {
		return 0
	}
	f := bytes.Fields(b[:nl])
	switch {
	case len(f) == 0:
	case string(f[0]) == "PING":
		p.flush()
		_, _ = c.Write([]byte("PONG\r\n")) // a dead peer is noticed by reading
	case string(f[0]) == "SUB":
		sid := string(f[len(f)-1])
		r.change(func(old []subscriber) []subscriber { return append(old, subscriber{c, sid}) })
	case string(f[0]) == "PUB" || string(f[0]) == "HPUB":
		return p.learn(b, nl+1, f)
	}
	return nl + 1
}

// publisher is what was learned of a connection's messages.
type publisher struct {
	relay  *relay
	verb   byte
	line   int    // length of a message's line
	length int    // of a whole frame
	head   []byte // what goes in front of the payload
	out    []byte
}

// learn takes the first message; it is then found by frame.
func (p *publisher) learn(b []byte, line int, f [][]byte) int {
	size, err := strconv.Atoi(string(f[len(f)-1]))
	subs := *p.relay.subs.Load()
	if err != nil || len(subs) == 0 || len(b) < line+size+2 {
		return 0
	}
	verb := "MSG"
	if b[0] == 'H' {
		verb = "HMSG"
	}
	p.verb, p.line, p.length = b[0], line, line+size+2
	p.head = fmt.Appendf(nil, "%s %s %s %s\r\n", verb, f[1], subs[0].sid, bytes.Join(f[2:], []byte(" ")))
	return p.frame(b)
}

// frame copies one message; it returns 0 if b does not begin with a whole one.
func (p *publisher) frame(b []byte) int {
	if p.length == 0 || len(b) < p.length || b[0] != p.verb || b[1] == 'I' {
		return 0
	}
	p.out = append(append(p.out, p.head...), b[p.line:p.length]...)
	return p.length
}

func (p *publisher) flush() {
	if len(p.out) == 0 {
		return
	}
	for _, s := range *p.relay.subs.Load() {
		_, _ = s.conn.Write(p.out) // a dead peer is noticed by reading
	}
	p.out = p.out[:0]
}
