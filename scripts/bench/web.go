package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// web is how connections go by WebSocket.
type web struct {
	port    int  // of the listener; set with the configuration
	deflate bool // messages are compressed, both ways
}

// conf chooses a port and returns the configuration, the same for all servers.
func (w *web) conf(string) (text string, err error) {
	if w.port, err = freePort(); err != nil {
		return "", err
	}
	return fmt.Sprintf("websocket { listen: \"127.0.0.1:%d\", no_tls: true, compression: %v }", w.port, w.deflate), nil
}

// byWeb measures what comes by WebSocket.
func byWeb(deflate bool, work func(*run) (result, error)) func(*run) (result, error) {
	w := &web{deflate: deflate}
	return configured(login{web: w}, w.conf, work)
}

// dial connects and asks for WebSocket.
func (w *web) dial() (net.Conn, error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(w.port))
	if err != nil {
		return nil, err
	}
	conn := &webConn{TCPConn: c.(*net.TCPConn), r: bufio.NewReaderSize(c, 64<<10)}
	if err := conn.upgrade(w.deflate); err != nil {
		c.Close()
		return nil, err
	}
	return conn, nil
}

// webConn is a client's side of a WebSocket connection: each Write is a message.
type webConn struct {
	*net.TCPConn
	r      *bufio.Reader
	left   uint64 // of the frame that is being read
	plain  []byte // inflated, and not read
	inf    io.ReadCloser
	def    *flate.Writer // nil: nothing is compressed
	packed bytes.Buffer
	out    []byte
}

func (c *webConn) upgrade(deflate bool) error {
	ask := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	if deflate {
		ask += "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
		c.def, _ = flate.NewWriter(&c.packed, 1)
		c.inf = flate.NewReader(bytes.NewReader(nil))
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.TCPConn.Write([]byte(ask + "\r\n")); err != nil {
		return err
	}
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("upgrade: %w, after %q", err, head)
		}
		head += line
	}
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || deflate != strings.Contains(head, "permessage-deflate") {
		return fmt.Errorf("upgrade is answered by %q", head)
	}
	return nil
}

// Write sends p as one masked frame.
func (c *webConn) Write(p []byte) (int, error) {
	payload, first := p, byte(0x82)
	if c.def != nil {
		c.packed.Reset()
		c.def.Reset(&c.packed)
		if _, err := c.def.Write(p); err != nil {
			return 0, err
		}
		if err := c.def.Flush(); err != nil {
			return 0, err
		}
		payload, first = bytes.TrimSuffix(c.packed.Bytes(), []byte("\x00\x00\xff\xff")), 0xC2
	}
	b := append(c.out[:0], first)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	const key = 0x3d21fa37
	b = binary.LittleEndian.AppendUint32(b, key)
	at := len(b)
	b = append(b, payload...)
	mask(b[at:], key)
	c.out = b
	if _, err := c.TCPConn.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// Read gives the payloads of messages.
func (c *webConn) Read(p []byte) (int, error) {
	for c.left == 0 && len(c.plain) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.plain) > 0 {
		n := copy(p, c.plain)
		c.plain = c.plain[n:]
		return n, nil
	}
	n, err := c.r.Read(p[:min(uint64(len(p)), c.left)])
	c.left -= uint64(n)
	return n, err
}

// next reads the header of the next frame, and all of a compressed one. Servers compress messages of one frame here, or
// of several of which the first says so.
func (c *webConn) next() error {
	var all []byte
	for {
		first, n, err := c.header()
		if err != nil {
			return err
		}
		switch op := first & 0xF; {
		case op == 8:
			return io.EOF
		case op > 2:
			return errors.New("a frame that nobody asked for")
		case first&0x40 == 0 && all == nil:
			c.left = n
			return nil
		}
		at := len(all)
		all = append(all, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, all[at:]); err != nil {
			return err
		}
		if first&0x80 != 0 {
			break
		}
	}
	in := bytes.NewReader(append(all, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	if err := c.inf.(flate.Resetter).Reset(in, nil); err != nil {
		return err
	}
	var err error
	c.plain, err = io.ReadAll(c.inf)
	return err
}

func (c *webConn) header() (first byte, n uint64, err error) {
	var h [8]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return 0, 0, err
	}
	first, n = h[0], uint64(h[1])
	size := map[uint64]int{126: 2, 127: 8}[n]
	if size > 0 {
		clear(h[:])
		if _, err := io.ReadFull(c.r, h[8-size:]); err != nil {
			return 0, 0, err
		}
		n = binary.BigEndian.Uint64(h[:])
	}
	return first, n, nil
}
