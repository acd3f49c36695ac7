package transport

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// sample is n bytes of which some repeat and some do not.
func sample(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+200)
	for len(b) < n {
		if r.IntN(3) == 0 {
			for range r.IntN(300) {
				b = append(b, byte(r.Uint32()))
			}
			continue
		}
		b = fmt.Appendf(b, `{"id":%d,"name":"customer %d","state":"open"}`, r.IntN(1000), r.IntN(50))
	}
	return b[:n]
}

// packs waits for "go\r\n", compresses from there on and echoes.
type packs struct {
	c   *Conn
	how Packing
	on  bool
}

func (p *packs) Receive(in *Input) (int, int, error) {
	if !p.on {
		i := bytes.IndexByte(in.Data, '\n')
		if i < 0 {
			return 0, 0, nil
		}
		p.on = true
		return i + 1, 0, p.c.Pack(p.how, time.Second)
	}
	return echoer{p.c}.Receive(in)
}

var packings = map[string]Packing{"stored": PackStored, "fast": PackFast, "better": PackBetter, "best": PackBest}

// TestPack: what goes through a compressed connection comes out as it was, whatever
// the peer's blocks are; the peer is the library's own writer and reader. The first
// compressed bytes come in one piece with the last plain ones.
func TestPack(t *testing.T) {
	for name, how := range packings {
		for _, block := range []int{4 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", name, block), func(t *testing.T) {
				c, other := pair(t)
				done := serve(c, (&packs{c: c, how: how}).Receive)
				echoPacked(t, other, sample(1, 3<<20), []byte("go\r\n"), block)
				other.Close()
				if err := <-done; !errors.Is(err, io.EOF) {
					t.Error("ended with", err)
				}
			})
		}
	}
}

// TestPackTLS: compression lies above the cipher.
func TestPackTLS(t *testing.T) {
	pair := writePair(t, "server")
	addr, ended := serveSecureBy(t, loadTLS(t, TLSOptions{Certificates: []KeyPair{pair}}),
		func(c *Conn) Handler { return &packs{c: c, how: PackBetter} })
	other, err := tls.Dial("tcp", addr, loadTLS(t, TLSOptions{CAFile: pair.CertFile}).Client("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	echoPacked(t, other, sample(2, 3<<20), []byte("go\r\n"), 1<<20)
	other.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error("ended with", err)
	}
}

// echoPacked sends data, compressed in blocks behind a plain line, and wants them back.
func echoPacked(t *testing.T, nc net.Conn, data, line []byte, block int) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		var first bytes.Buffer
		first.Write(line)
		w := s2.NewWriter(&first, s2.WriterConcurrency(1), s2.WriterBlockSize(block))
		err := errors.Join(ioWrite(w, data[:5000]), w.Close())
		_, e := nc.Write(first.Bytes())
		w.Reset(nc)
		for rest := data[5000:]; len(rest) > 0 && err == nil; {
			n := min(len(rest), 1<<20+77)
			err = errors.Join(ioWrite(w, rest[:n]), w.Flush())
			rest = rest[n:]
		}
		sent <- errors.Join(err, e, w.Close())
	}()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(s2.NewReader(nc), got); err != nil {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatal("what came back is not what was sent")
	}
}

func ioWrite(w io.Writer, p []byte) error { _, err := w.Write(p); return err }

// TestPackSlowPeer: a peer that does not read is cut off at the limit of the queue,
// and one that reads late gets everything, also after the packing has changed.
func TestPackSlowPeer(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(64<<20, time.Hour)
	p := &packs{c: c}
	done := serve(c, p.Receive)
	if err := ioWrite(other, []byte("go\r\n")); err != nil {
		t.Fatal(err)
	}
	// The handler has compressed its first byte when the echo of the next one is there.
	if err := ioWrite(other, packedFrame([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	from := s2.NewReader(other)
	if _, err := io.ReadFull(from, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	data := sample(3, 32<<20)
	kinds := []Packing{PackStored, PackFast, PackBetter, PackBest}
	for i := 0; i < len(data); i += 1 << 20 {
		c.Repack(kinds[i>>20%4])
		c.Out.Send(data[i : i+1<<20])
	}
	got := make([]byte, len(data))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, data) {
		t.Fatal("read late:", err)
	}
	c.Out.Limits(1<<20, time.Hour)
	c.Repack(PackStored)
	for sent := 0; c.Aborted() == nil; sent += 1 << 16 {
		if sent > 256<<20 {
			t.Fatal("nobody minds")
		}
		c.Out.Send(data[:1<<16])
	}
	err := <-done
	var pe *PendingError
	if !errors.As(err, &pe) {
		t.Errorf("ended with %v", err)
	}
}

func packedFrame(p []byte) []byte {
	var b bytes.Buffer
	w := s2.NewWriter(&b, s2.WriterConcurrency(1))
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

// source gives a stream in pieces, with nothing to read in between.
type source struct {
	b     []byte
	piece int
	dry   bool
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	if s.dry = !s.dry; s.dry {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p[:min(len(p), s.piece)], s.b)
	s.b = s.b[n:]
	return n, nil
}

// unpackAll reads a stream to its end.
func unpackAll(b []byte, piece int) (got []byte, err error) {
	u := &unpacker{intake: intake{below: &source{b: b, piece: piece}}}
	defer u.close()
	p := make([]byte, 1000)
	for {
		n, err := u.Read(p)
		if got = append(got, p[:n]...); len(got) > maxUnpacked*4 {
			return got, errors.New("endless")
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return got, err
		}
	}
}

// bomb is a small chunk that says that it holds size bytes.
func bomb(size uint64) []byte {
	body := binary.AppendUvarint(make([]byte, 4), size)
	b := append([]byte(streamBegin), chunkPacked, byte(len(body)), 0, 0)
	return append(b, body...)
}

// TestUnpackRefuses: what is not a stream of S2, or would take more memory than a
// chunk may, is refused as soon as that is seen.
func TestUnpackRefuses(t *testing.T) {
	good := packedFrame(sample(4, 3000))
	flip := bytes.Clone(good)
	flip[len(streamBegin)+5]++
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"plain":          {[]byte("INFO {}\r\n"), errUnpackBegin},
		"gzip":           {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), errUnpackBegin},
		"other stream":   {[]byte("\xff\x06\x00\x00abcdef"), errUnpackBegin},
		"wrong checksum": {flip, errUnpackCheck},
		"reserved chunk": {[]byte(streamBegin + "\x02\x04\x00\x00abcd"), errUnpackChunk},
		"no checksum":    {[]byte(streamBegin + "\x01\x03\x00\x00abc"), errUnpackChunk},
		"bad block":      {[]byte(streamBegin + "\x00\x08\x00\x00abcd\x10\xff\xff\xff"), errUnpackChunk},
		"bomb":           {bomb(1 << 32), errUnpackChunk},
		"large block":    {bomb(maxUnpacked + 1), errUnpackSize},
		"long chunk":     {[]byte(streamBegin + "\x00\xff\xff\xff"), errUnpackSize},
		"good":           {good, io.EOF},
		"skippable":      {append([]byte(streamBegin+"\x80\x03\x00\x00abc\xfe\x00\x00\x00"), good...), io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 7, 1 << 20} {
				got, err := unpackAll(c.in, piece)
				if err != c.want {
					t.Errorf("pieces of %d: %v, want %v", piece, err, c.want)
				}
				if c.want == io.EOF && !bytes.Equal(got, sample(4, 3000)) {
					t.Error("unpacked to something else")
				}
			}
		})
	}
}

// FuzzUnpack: no bytes make the unpacker fail otherwise than by an error, hold more
// than a chunk may, or give something else than the library does.
func FuzzUnpack(f *testing.F) {
	f.Add(packedFrame(sample(5, 500)), 3)
	f.Add(packedFrame(nil), 1)
	f.Add(bomb(1<<22), 100)
	f.Add([]byte(streamBegin+"\x80\x03\x00\x00abc\x01\x05\x00\x00abcdx"), 4)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		got, err := unpackAll(b, max(piece, 1))
		want, e := io.ReadAll(io.LimitReader(s2.NewReader(bytes.NewReader(b)), maxUnpacked*4))
		if err == io.EOF && e == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, the library has %d", len(got), len(want))
		}
		if e == nil && err != io.EOF && len(want) > 0 {
			t.Errorf("refused by %v; the library reads %d bytes", err, len(want))
		}
	})
}

// What the head of a chunk announces costs nothing before it comes. Others in the process allocate meanwhile: the
// smallest of some figures counts.
func TestChunkGrowsWithWhatArrives(t *testing.T) {
	least := allocatedForChunk(t)
	for range 9 {
		least = min(least, allocatedForChunk(t))
	}
	if least > 1<<20 && !raceEnabled { // pools forget now and then under the race detector
		t.Errorf("%d bytes allocated", least)
	}
}

func allocatedForChunk(t *testing.T) uint64 {
	b := []byte(streamBegin)
	const size = 4 << 20
	b = append(b, chunkStored, size&0xff, size>>8&0xff, size>>16)
	b = append(b, make([]byte, 300)...)
	src := &source{b: b, piece: 1}
	u := &unpacker{intake: intake{below: src}}
	defer u.close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := make([]byte, 1<<10)
	for len(src.b) > 0 {
		if _, err := u.Read(p); err == io.EOF {
			break
		} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if u.raw != nil && len(u.raw.Bytes()) > batch.Small {
			t.Fatalf("a block of %d bytes for %d", len(u.raw.Bytes()), len(b)-len(src.b))
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
