package brokertest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Web says how a connection goes by WebSocket.
type Web struct {
	Unmasked bool // by nats-server's header, neither side masks
	Deflate  bool // what is sent is compressed; the server must have it on
	Bytewise bool // every byte of a frame is a write of its own
	Offer    string
}

// webBlock is the configuration of a WebSocket listener.
func (w *Web) webBlock(port int) string {
	return fmt.Sprintf("\nwebsocket { listen: \"127.0.0.1:%d\", no_tls: true, compression: %v }\n", port, w.Deflate)
}

// DialWeb is Dial by WebSocket, at a port of 127.0.0.1.
func (s *Server) DialWeb(t testing.TB, port int, o Web) *Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	w := &webWire{TCPConn: nc.(*net.TCPConn), r: bufio.NewReaderSize(nc, 32<<10), how: o}
	if err := w.upgrade(); err != nil {
		t.Fatal(err)
	}
	return &Conn{t: t, net: w, tcp: w.TCPConn, in: bufio.NewReaderSize(w, 32<<10), port: port, web: w}
}

// Closed is what the close frame of the server said, as "1000 Client Closed"; empty if none came, or the connection is
// not one of WebSocket.
func (c *Conn) Closed() string {
	if c.web == nil {
		return ""
	}
	return c.web.closed
}

// webWire makes a byte stream of the frames of a connection, as a client does. It shares no code with the broker.
type webWire struct {
	*net.TCPConn
	r      *bufio.Reader
	how    Web
	data   []byte // of frames, and not read
	closed string
	window []byte // what came compressed, if the server keeps a context
	keeps  bool
}

// upgrade asks for WebSocket.
func (w *webWire) upgrade() error {
	_ = w.SetDeadline(time.Now().Add(Patience))
	ask := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	if w.how.Unmasked {
		ask += "Nats-No-Masking: true\r\n"
	}
	if w.how.Deflate {
		offer := w.how.Offer
		if offer == "" {
			offer = "permessage-deflate"
		}
		ask += "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	if _, err := w.TCPConn.Write([]byte(ask + "\r\n")); err != nil {
		return err
	}
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := w.r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("upgrade: %w, after %q", err, head+line)
		}
		head += line
	}
	switch {
	case !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"):
		return fmt.Errorf("upgrade is answered by %q", head)
	case w.how.Unmasked != strings.Contains(head, "\r\nNats-No-Masking: true\r\n"), w.how.Deflate != strings.Contains(head, "permessage-deflate"):
		return fmt.Errorf("it is agreed on something else: %q", head)
	}
	w.keeps = !strings.Contains(head, "server_no_context_takeover")
	return w.SetDeadline(time.Time{})
}

// Write sends p as one message, or two frames of one.
func (w *webWire) Write(p []byte) (int, error) {
	payload, first := p, byte(0x02)
	if w.how.Deflate {
		var b bytes.Buffer
		z, err := flate.NewWriter(&b, 6)
		if err == nil {
			_, err = z.Write(p)
		}
		if err != nil || z.Flush() != nil {
			return 0, errors.New("deflate")
		}
		payload, first = bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")), 0x42
	}
	var wire []byte
	if half := len(payload) / 2; half > 0 {
		wire = w.frame(wire, first, payload[:half])
		first, payload = 0, payload[half:]
	}
	wire = w.frame(wire, first|0x80, payload)
	step := len(wire)
	if w.how.Bytewise && step < 8<<10 {
		step = 1
	}
	for len(wire) > 0 {
		n := min(step, len(wire))
		if _, err := w.TCPConn.Write(wire[:n]); err != nil {
			return 0, err
		}
		wire = wire[n:]
	}
	return len(p), nil
}

func (w *webWire) frame(b []byte, first byte, payload []byte) []byte {
	mask := byte(0x80)
	if w.how.Unmasked {
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
	if w.how.Unmasked {
		return append(b, payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// Read gives the data of messages.
func (w *webWire) Read(p []byte) (int, error) {
	for len(w.data) == 0 {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.data)
	w.data = w.data[n:]
	return n, nil
}

// next reads one message.
func (w *webWire) next() error {
	var all []byte
	packed := false
	for {
		var h [8]byte
		if _, err := io.ReadFull(w.r, h[:2]); err != nil {
			return err
		}
		first, n := h[0], uint64(h[1])
		if n >= 126 {
			size := 2
			if n == 127 {
				size = 8
			}
			if n > 127 {
				return errors.New("the server masks")
			}
			if _, err := io.ReadFull(w.r, h[8-size:]); err != nil {
				return err
			}
			clear(h[:8-size])
			n = binary.BigEndian.Uint64(h[:])
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(w.r, payload); err != nil {
			return err
		}
		switch first & 0xF {
		case 8:
			if w.closed = "1005"; len(payload) >= 2 {
				w.closed = fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:])
			}
			return io.EOF
		case 0, 2:
			packed = packed || first&0x40 != 0
			if all = append(all, payload...); first&0x80 == 0 {
				continue
			}
			if packed {
				return w.inflate(all)
			}
			w.data = all
			return nil
		}
	}
}

func (w *webWire) inflate(p []byte) (err error) {
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if w.data, err = io.ReadAll(flate.NewReaderDict(in, w.window)); err == nil && w.keeps {
		w.window = append(w.window, w.data...)
		w.window = w.window[max(0, len(w.window)-32<<10):]
	}
	return err
}
