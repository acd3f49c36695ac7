package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Every payload begins with the message number, the number of the publisher
// and the index of the subject, and ends (from 32 bytes up) with the message
// number again; between them lie fixed random bytes. A receiver can tell a
// lost, repeated, torn or misrouted message from that alone.
const (
	stampSize  = 16
	secondFrom = 32
)

// pattern is what payloads are made of; it is never written.
var pattern = func() []byte {
	p := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}()

// frameRing is what a publisher sends, over and over: prebuilt PUB or HPUB
// frames in which only numbers are replaced before each write.
type frameRing struct {
	data    []byte
	ends    []int // offset behind frame i
	payload int   // size in bytes
	fresh   bool  // the last freshDigits of the subject are the message number
	subject int   // offset of the subject in a frame
	subjLen int
}

const freshDigits = 12

const headerBlock = "NATS/1.0\r\nBench-Trace: 4bf92f3577b34da6a3ce929d0e0e4736\r\nBench-Span: 00f067aa0ba902b7\r\n\r\n"

// newRing builds one frame per entry of order (indexes into subjects),
// repeated until a write of chunk bytes can be taken from it.
func newRing(subjects []string, order []int, payload, pub, chunk int, headers, fresh bool) *frameRing {
	r := &frameRing{payload: payload, fresh: fresh}
	for len(r.data) < chunk || len(r.ends)%len(order) != 0 {
		k := order[len(r.ends)%len(order)]
		if headers {
			r.data = fmt.Appendf(r.data, "HPUB %s %d %d\r\n%s", subjects[k], len(headerBlock), len(headerBlock)+payload, headerBlock)
			r.subject = len("HPUB ")
		} else {
			r.data = fmt.Appendf(r.data, "PUB %s %d\r\n", subjects[k], payload)
			r.subject = len("PUB ")
		}
		at := len(r.data)
		r.data = append(r.data, pattern[:payload]...)
		binary.LittleEndian.PutUint32(r.data[at+8:], uint32(pub))
		binary.LittleEndian.PutUint32(r.data[at+12:], uint32(k))
		r.data = append(r.data, "\r\n"...)
		r.ends = append(r.ends, len(r.data))
	}
	r.subjLen = len(subjects[0])
	return r
}

// start returns the offset of frame i.
func (r *frameRing) start(i int) int {
	if i == 0 {
		return 0
	}
	return r.ends[i-1]
}

// fill writes message number seq into frame i.
func (r *frameRing) fill(i int, seq uint64) {
	end := r.ends[i] - len("\r\n")
	p := r.data[end-r.payload : end]
	binary.LittleEndian.PutUint64(p, seq)
	if r.payload >= secondFrom {
		binary.LittleEndian.PutUint64(p[r.payload-8:], seq)
	}
	if r.fresh {
		last := r.start(i) + r.subject + r.subjLen - 1
		for d := range freshDigits {
			r.data[last-d] = byte('0' + seq%10)
			seq /= 10
		}
	}
}

// freshSubject returns a subject whose last token fill replaces.
func freshSubject(prefix string) string { return prefix + "000000000000" }
