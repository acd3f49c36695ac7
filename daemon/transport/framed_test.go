package transport

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// webPeer is the other side of a WebSocket connection, written for the tests alone.
type webPeer struct {
	t        *testing.T
	nc       net.Conn
	r        *bufio.Reader
	unmasked bool
	context  []byte // of what came compressed, where the server keeps one
	keeps    bool
	pongs    [][]byte
	packed   int // messages that came compressed
}

func newWebPeer(t *testing.T, nc net.Conn) *webPeer {
	return &webPeer{t: t, nc: nc, r: bufio.NewReaderSize(nc, 64<<10)}
}

// frame appends a frame as clients send it.
func (p *webPeer) frame(b []byte, first byte, payload []byte) []byte {
	mask := byte(0x80)
	if p.unmasked {
		mask = 0
	}
	b = append(b, first)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if p.unmasked {
		return append(b, payload...)
	}
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// next reads a frame of the server: its opcode and what it holds, inflated.
func (p *webPeer) next() (op byte, payload []byte, err error) {
	var h [8]byte
	if _, err := io.ReadFull(p.r, h[:2]); err != nil {
		return 0, nil, err
	}
	if h[0]&0x80 == 0 || h[0]&0x30 != 0 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("a frame that begins with % x", h[:2])
	}
	op, n := h[0]&0xF, uint64(h[1])
	packed := h[0]&0x40 != 0
	switch n {
	case 126:
		if _, err := io.ReadFull(p.r, h[:2]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(h[:]))
	case 127:
		if _, err := io.ReadFull(p.r, h[:8]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(h[:])
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return 0, nil, err
	}
	if packed {
		p.packed++
		in := io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
		if payload, err = io.ReadAll(flate.NewReaderDict(in, p.context)); err != nil {
			return 0, nil, fmt.Errorf("inflating: %w", err)
		}
		if p.keeps {
			p.context = append(p.context, payload...)
			p.context = p.context[max(0, len(p.context)-32<<10):]
		}
	}
	return op, payload, nil
}

// data reads n bytes of messages; pongs are kept.
func (p *webPeer) data(n int) ([]byte, error) {
	var all []byte
	for len(all) < n {
		op, payload, err := p.next()
		switch {
		case err != nil:
			return all, err
		case op == 2:
			all = append(all, payload...)
		case op == 10:
			p.pongs = append(p.pongs, payload)
		default:
			return all, fmt.Errorf("opcode %d, %q", op, payload)
		}
	}
	return all, nil
}

// deflated is a message as a client compresses it, without context.
func deflated(payload []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	_, _ = w.Write(payload)
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// serveFramed serves a connection that consists of frames from its beginning, and echoes.
func serveFramed(c *Conn, f Framing) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := c.Frame(f, time.Second)
		if err == nil {
			err = c.Serve(echoer{c}, nil)
		}
		c.Farewell(1001, "Server Shutdown")
		c.Close(true)
		done <- err
	}()
	return done
}

// TestFramedEcho: what goes through frames comes out as it was, however the client cuts it: masked or not, fragmented,
// compressed or not, with pings in between, over TCP and TLS.
func TestFramedEcho(t *testing.T) {
	for _, f := range []Framing{
		{}, {Unmasked: true}, {Deflate: true, MaxPacked: 8 << 20}, {Deflate: true, Context: true, Unmasked: true, MaxPacked: 8 << 20},
	} {
		for _, over := range []string{"tcp", "tls1.3", "tls1.2"} {
			t.Run(fmt.Sprintf("%+v/%s", f, over), func(t *testing.T) {
				c, other := pair(t)
				var nc net.Conn = other
				secured := make(chan error, 1)
				if over == "tcp" {
					secured <- nil
				} else {
					made := writePair(t, "server")
					config := loadTLS(t, TLSOptions{CAFile: made.CertFile}).Client("127.0.0.1")
					if config.MaxVersion = tls.VersionTLS13; over == "tls1.2" {
						config.MaxVersion = tls.VersionTLS12
					}
					server := loadTLS(t, TLSOptions{Certificates: []KeyPair{made}, Carry: true})
					go func() {
						_, err := c.SecureServer(server, nil)
						secured <- err
					}()
					client := tls.Client(other, config)
					if err := client.Handshake(); err != nil {
						t.Fatal(err)
					}
					nc = client
				}
				if err := <-secured; err != nil {
					t.Fatal(err)
				}
				done := serveFramed(c, f)
				p := newWebPeer(t, nc)
				p.unmasked, p.keeps = f.Unmasked, f.Context
				framedEcho(t, p, f)
				if _, err := nc.Write(p.frame(nil, 0x88, []byte("\x03\xe8bye"))); err != nil {
					t.Fatal(err)
				}
				if op, got, err := p.next(); err != nil || op != 8 || string(got) != "\x03\xe8bye" {
					t.Errorf("closed by %d %q %v", op, got, err)
				}
				if _, _, err := p.next(); !errors.Is(err, io.EOF) {
					t.Errorf("after the close frame: %v", err)
				}
				if err := <-done; !errors.Is(err, io.EOF) {
					t.Error("ended with", err)
				}
				if f.Deflate != (p.packed > 0) {
					t.Errorf("%d messages came compressed", p.packed)
				}
			})
		}
	}
}

func framedEcho(t *testing.T, p *webPeer, f Framing) {
	t.Helper()
	data := sample(7, 1<<20)
	sent := make(chan error, 1)
	pings := 0
	var wire []byte
	r := rand.New(rand.NewPCG(3, 4))
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+r.IntN([]int{10, 300, 5000, 200 << 10}[r.IntN(4)]))
		message := rest[:n]
		rest = rest[n:]
		first := byte(1 + r.IntN(2))
		if f.Deflate && r.IntN(2) == 0 {
			first, message = first|0x40, deflated(message)
		}
		for cuts := r.IntN(4); cuts > 0 && len(message) > 1; cuts-- {
			k := r.IntN(len(message))
			wire = p.frame(wire, first, message[:k])
			first, message = 0, message[k:]
			if r.IntN(4) == 0 {
				wire = p.frame(wire, 0x89, fmt.Appendf(nil, "ping %d", pings))
				pings++
			}
		}
		wire = p.frame(wire, first|0x80, message)
	}
	go func() {
		var err error
		for rest := wire; len(rest) > 0 && err == nil; {
			n := min(len(rest), 1+rand.IntN(100<<10))
			_, err = p.nc.Write(rest[:n])
			rest = rest[n:]
		}
		sent <- err
	}()
	got, err := p.data(len(data))
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(got), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatal("what came back is not what was sent")
	}
	if len(p.pongs) == 0 || len(p.pongs) > pings || !bytes.HasPrefix(p.pongs[0], []byte("ping ")) {
		t.Errorf("%d pongs to %d pings", len(p.pongs), pings)
	}
}

// TestFramedByteByByte: frames may come in any pieces.
func TestFramedByteByByte(t *testing.T) {
	for _, f := range []Framing{{}, {Deflate: true, MaxPacked: 1000}} {
		c, other := pair(t)
		done := serveFramed(c, f)
		p := newWebPeer(t, other)
		text := strings.Repeat("PUB x 5\r\nhello\r\n", 20)
		wire := p.frame(p.frame(nil, 0x02, []byte(text[:150])), 0x80, []byte(text[150:]))
		if f.Deflate {
			packed := deflated([]byte(text))
			wire = p.frame(p.frame(nil, 0x42, packed[:3]), 0x80, packed[3:])
		}
		wire = p.frame(wire, 0x89, []byte("there?"))
		for i := range wire {
			if _, err := other.Write(wire[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		got, err := p.data(len(text))
		if err != nil || string(got) != text {
			t.Fatalf("%q %v", got, err)
		}
		if len(p.pongs) == 0 { // it may come before what came before it was handled
			op, pong, err := p.next()
			if err != nil || op != 10 {
				t.Fatalf("a ping is answered by %d %q %v", op, pong, err)
			}
			p.pongs = append(p.pongs, pong)
		}
		if string(p.pongs[0]) != "there?" {
			t.Errorf("a ping is answered by %q", p.pongs)
		}
		other.Close()
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Error("ended with", err)
		}
	}
}

// TestFramedMistakes: what is wrong is told by the close frame, behind everything that was sent before, and ends the
// connection with that error.
func TestFramedMistakes(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Framing
		wire func(p *webPeer) []byte
		code int
		text string
	}{
		{"mask", Framing{}, func(p *webPeer) []byte { p.unmasked = true; return p.frame(nil, 0x82, []byte("x")) }, 1002, "mask bit missing"},
		{"close of one byte", Framing{}, func(p *webPeer) []byte { return p.frame(nil, 0x88, []byte("x")) }, 1002, "close frame payload cannot be 1 byte"},
		{"too much", Framing{Deflate: true, MaxPacked: 100}, func(p *webPeer) []byte { return p.frame(nil, 0xC2, make([]byte, 101)) }, 1009, "maximum payload exceeded"},
		{"no deflate", Framing{Deflate: true, MaxPacked: 100}, func(p *webPeer) []byte { return p.frame(nil, 0xC2, []byte("\xff\xff\xff")) }, 1007, "corrupt compressed message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, other := pair(t)
			done := serveFramed(conn, c.f)
			p := newWebPeer(t, other)
			hello := bytes.Repeat([]byte("h"), 100_000)
			wire := p.frame(nil, 0x82, hello)
			wire = append(wire, c.wire(p)...)
			if _, err := other.Write(append(wire, make([]byte, 10_000)...)); err != nil {
				t.Fatal(err)
			}
			if got, err := p.data(len(hello)); err != nil || !bytes.Equal(got, hello) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			op, got, err := p.next()
			if err != nil || op != 8 || int(binary.BigEndian.Uint16(got)) != c.code || string(got[2:]) != c.text {
				t.Errorf("closed by %d %q %v", op, got, err)
			}
			var fe *FrameError
			if err := <-done; !errors.As(err, &fe) || fe.Text != c.text {
				t.Error("ended with", err)
			}
		})
	}
}

// TestFramedFarewell: a connection that is closed from here says why behind all that waits, to a slow peer too.
func TestFramedFarewell(t *testing.T) {
	for _, f := range []Framing{{}, {Deflate: true, MaxPacked: 100}} {
		c, other := pair(t)
		c.Out.Limits(1<<30, time.Minute)
		done := serveFramed(c, f)
		p := newWebPeer(t, other)
		if _, err := other.Write(p.frame(nil, 0x82, []byte("x"))); err != nil {
			t.Fatal(err)
		}
		if _, err := p.data(1); err != nil { // it is served
			t.Fatal(err)
		}
		big := sample(1, 8<<20)
		c.Out.Send(big)
		c.Abort(errors.New("enough"))
		if err := <-done; err == nil || err.Error() != "enough" {
			t.Error("ended with", err)
		}
		got, err := p.data(len(big))
		if err != nil || !bytes.Equal(got, big) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if op, got, err := p.next(); err != nil || op != 8 || string(got) != "\x03\xe9Server Shutdown" {
			t.Errorf("closed by %d %q %v", op, got, err)
		}
		if _, _, err := p.next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the close frame: %v", err)
		}
	}
}

// TestInflatingTakesNoMemory: a message may inflate to anything; what is kept is what has come.
func TestInflatingTakesNoMemory(t *testing.T) {
	c, other := pair(t)
	total := 0
	done := make(chan error, 1)
	go func() {
		if err := c.Frame(Framing{Deflate: true, MaxPacked: 1 << 20}, time.Second); err != nil {
			done <- err
			return
		}
		err := c.Serve(handler(func(in *Input) (int, int, error) {
			if len(in.Data) > 1<<20 {
				return 0, 0, fmt.Errorf("%d bytes at once", len(in.Data))
			}
			total += len(in.Data)
			return len(in.Data), 0, nil
		}), nil)
		c.Close(true)
		done <- err
	}()
	p := newWebPeer(t, other)
	const size = 24 << 20
	if _, err := other.Write(p.frame(nil, 0xC2, deflated(make([]byte, size)))); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write(p.frame(nil, 0x88, nil)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Error("ended with", err)
	}
	if total != size {
		t.Errorf("%d bytes came out", total)
	}
}

// TestFramesAreNotCopied: the header goes in front of a payload that lies where it lay, and nothing is allocated.
func TestFramesAreNotCopied(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and pools forget")
	}
	c, other := pair(t)
	done := serveFramed(c, Framing{})
	p := newWebPeer(t, other)
	message := p.frame(nil, 0x82, bytes.Repeat([]byte("m"), 1000))
	answer := make([]byte, websocket.HeaderLen(1000)+1000)
	round := func() {
		_, _ = other.Write(message)
		_, _ = io.ReadFull(other, answer)
	}
	round()
	if n := testing.AllocsPerRun(200, round); n > 0.5 {
		t.Errorf("%.1f allocations a message", n)
	}
	other.Close()
	<-done
}

// TestFramesWithoutData: a peer that sends frames in which there is nothing, faster than they are answered, does not keep the reader from
// ending, nor from doing errands.
func TestFramesWithoutData(t *testing.T) {
	for _, f := range []Framing{{}, {Deflate: true, MaxPacked: 1 << 20}} {
		for name, first := range map[string]byte{"pongs": 0x8A, "empty messages": 0x82} {
			t.Run(fmt.Sprintf("%+v/%s", f, name), func(t *testing.T) {
				c, other := pair(t)
				done := serveFramed(c, f)
				p := newWebPeer(t, other)
				var burst []byte
				for len(burst) < 64<<10 {
					burst = p.frame(burst, first, nil)
				}
				flood := make(chan struct{})
				go func() {
					defer close(flood)
					for {
						if _, err := other.Write(burst); err != nil {
							return // at the end of the test
						}
					}
				}()
				ran := make(chan struct{})
				c.Wake(func() { close(ran) })
				<-ran
				c.Abort(errors.New("enough"))
				if err := <-done; err == nil || err.Error() != "enough" {
					t.Error("ended with", err)
				}
				other.Close()
				<-flood
			})
		}
	}
}
