package brokertest

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// PlayOptions says how a script is played.
type PlayOptions struct {
	Binary string // the server; empty: Ours(t)

	// Bytewise sends every byte in a write of its own, which makes a parser
	// stop and resume anywhere.
	Bytewise bool

	Web *Web // by WebSocket; nil: by TCP
	// Closed is told of each connection that the server closed what its close frame said; nil: nobody is.
	Closed func(conn, said string)
}

// Play starts a server for the script, plays the script to it and returns the
// text of the script with what was recorded: two servers that behave alike
// give the same text. The test fails when something awaited does not come.
func Play(t testing.TB, script *Script, o PlayOptions) string {
	t.Helper()
	p := &player{t: t, script: script, opts: o, conns: map[string]*Conn{}, kept: map[string][]string{}}
	p.config = strings.Join(script.Config, "\n")
	if o.Web != nil {
		p.port = FreePort(t)
		p.config += o.Web.webBlock(p.port)
	}
	p.server = Start(t, Options{Binary: o.Binary, Config: p.config, Args: script.Flags})
	for _, st := range script.steps {
		p.out = append(p.out, st.text)
		if err := p.play(st); err != nil {
			t.Fatalf("%s:%d: %s: %v\nso far:\n%s", script.Name, st.line, st.text, err, p.text())
		}
	}
	return p.text()
}

type player struct {
	t      testing.TB
	script *Script
	opts   PlayOptions
	server *Server
	conns  map[string]*Conn
	kept   map[string][]string // frames of a wait, per connection
	out    []string
	config string
	port   int // of WebSocket
}

func (p *player) text() string { return strings.Join(p.out, "\n") + "\n" }

func (p *player) play(st step) error {
	switch st.verb {
	case "":
		return nil
	case "signal":
		sig := unix.SignalNum(st.arg)
		if sig == 0 {
			return fmt.Errorf("unknown signal %q", st.arg)
		}
		p.server.Signal(sig)
		return nil
	case "reload":
		from := p.server.LogLen()
		if p.opts.Web != nil {
			st.arg += p.opts.Web.webBlock(p.port)
		}
		p.server.SetConfig(st.arg)
		p.server.Signal(syscall.SIGHUP)
		p.server.WaitLogFrom("Reloaded server configuration", from)
		return nil
	case "log":
		p.server.WaitLog(st.arg)
		return nil
	}
	var frames []string
	for _, name := range st.conns {
		got, err := p.playOn(name, st)
		if err != nil {
			return err
		}
		frames = append(frames, got...)
	}
	if len(st.conns) > 1 {
		slices.Sort(frames)
	}
	p.record(strings.Join(st.conns, ","), frames)
	return nil
}

// playOn does st on one connection and returns the frames to record.
func (p *player) playOn(name string, st step) ([]string, error) {
	if st.verb == "dial" || st.verb == "open" {
		c := p.dial()
		p.conns[name] = c
		if st.verb == "open" {
			if f := c.Frame(); !strings.HasPrefix(f, "INFO {") {
				return nil, fmt.Errorf("want INFO, got %q", f)
			}
		}
		return nil, nil
	}
	c := p.conns[name]
	if c == nil {
		return nil, fmt.Errorf("connection %s is not open", name)
	}
	switch st.verb {
	case ">", ">>":
		return nil, p.send(c, c.giveReply(st.data), st.count)
	case "sync":
		got, err := p.sync(c)
		got = append(p.kept[name], got...)
		delete(p.kept, name)
		return got, err
	case "wait":
		got, err := p.sync(c)
		p.kept[name] = append(p.kept[name], got...)
		return nil, err
	case "read":
		return c.until("", st.count)
	case "ping":
		return c.until("PING", 0)
	case "eof":
		got, err := c.until(EOF, 0)
		if p.opts.Closed != nil && err == nil {
			p.opts.Closed(name, c.Closed())
		}
		return got, err
	case "shut":
		return nil, c.net.CloseWrite()
	case "close":
		return nil, c.net.Close()
	case "reset":
		if err := c.net.SetLinger(0); err != nil {
			return nil, err
		}
		return nil, c.net.Close()
	}
	return nil, fmt.Errorf("unknown command %q", st.verb)
}

func (p *player) dial() *Conn {
	if p.opts.Web != nil {
		return p.server.DialWeb(p.t, p.port, *p.opts.Web)
	}
	return p.server.Dial(p.t)
}

// sync sends PING and returns the frames before its PONG.
func (p *player) sync(c *Conn) ([]string, error) {
	if err := p.send(c, []byte("PING\r\n"), 1); err != nil {
		return nil, err
	}
	got, err := c.until("PONG", 0)
	if n := len(got); err == nil && got[n-1] == "PONG" {
		got = got[:n-1]
	}
	return got, err
}

func (p *player) send(c *Conn, data []byte, times int) error {
	chunk := len(data)
	const bytewiseMax = 8 << 10 // above that, bytes one by one take too long
	if p.opts.Bytewise && len(data)*times <= bytewiseMax {
		chunk = 1
	}
	for range times {
		for part := range slices.Chunk(data, max(chunk, 1)) {
			if err := c.write(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// until reads frames up to and with last, or count of them if count is not
// zero, or up to the end of the connection. PINGs are left out unless awaited.
func (c *Conn) until(last string, count int) ([]string, error) {
	var list []string
	for {
		raw, err := c.frame()
		if err != nil {
			return list, fmt.Errorf("%w; got %q", err, list)
		}
		f := string(raw)
		if f == "PING" && last != "PING" {
			continue
		}
		if strings.HasPrefix(f, "INFO ") {
			f = maskInfo(f, c.port)
		} else if f != EOF {
			f = c.maskReply(escape(raw))
		}
		list = append(list, f)
		if f == last || f == EOF || len(list) == count {
			return list, nil
		}
	}
}

// serviceReply is the form of the reply subjects that a server makes for
// requests to services of other accounts.
var serviceReply = regexp.MustCompile(`_R_(\.[0-9A-Za-z]+)+`)

const replyMark = "(reply)"

// maskReply puts a mark in place of a reply subject made by the server, which is
// remembered for [Conn.giveReply].
func (c *Conn) maskReply(frame string) string {
	if r := serviceReply.FindString(frame); r != "" {
		c.reply = r
	}
	return serviceReply.ReplaceAllString(frame, replyMark)
}

// giveReply puts the reply subject that came last in place of the mark.
func (c *Conn) giveReply(data []byte) []byte {
	return bytes.ReplaceAll(data, []byte(replyMark), []byte(c.reply))
}

// record adds frames to the transcript, equal ones in a row as one line.
func (p *player) record(name string, frames []string) {
	for i := 0; i < len(frames); {
		n := 1
		for i+n < len(frames) && frames[i+n] == frames[i] {
			n++
		}
		times := ""
		if n > 1 {
			times = fmt.Sprintf("%d ", n)
		}
		p.out = append(p.out, name+" "+times+"< "+frames[i])
		i += n
	}
}

// ReadScript reads and parses the script in a file, and returns its text too.
func ReadScript(t testing.TB, path string) (*Script, string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseScript(path, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s, string(text)
}
