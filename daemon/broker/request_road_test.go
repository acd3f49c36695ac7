package broker

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// asking is a way for requests and their answers, in its steady state.
type asking struct {
	name          string
	accounts      []AccountOptions
	asker, server string // accounts of those
	sub           string // the server's SUB line
	header        string // of the requests; empty for none
}

func askings() []asking {
	service := AccountOptions{Name: "S", Exports: []ServiceExport{{Subject: "ask"}}}
	of := func(account, name string) AccountOptions {
		return AccountOptions{Name: name, Services: []ServiceImport{{Account: account, Subject: "ask"}}}
	}
	both := []AccountOptions{service, of("S", "A")}
	header := "NATS/1.0\r\nA: b\r\n\r\n"
	return []asking{
		{"request", []AccountOptions{service}, "S", "S", "SUB ask 1\r\n", ""},
		{"import", both, "A", "S", "SUB ask 1\r\n", ""},
		{"import-queue", both, "A", "S", "SUB ask q 1\r\n", ""},
		{"import-wildcard", both, "A", "S", "SUB * 1\r\n", ""},
		{"import-headers", both, "A", "S", "SUB ask 1\r\n", header},
		{"import-chain", []AccountOptions{service, of("S", "B"), of("B", "A")}, "A", "S", "SUB ask 1\r\n", ""},
	}
}

// talk is an asking set up on a broker in this process: an asker who sends blocks of
// requests, each with a reply subject that never came before, and a server who sends
// their payload back. What it takes is allocated beforehand.
type talk struct {
	asker *peer
	out   []byte
	next  [][]byte // the numbers in out
	in    []byte
	n     int
	ended chan error
}

const (
	askNumber = "0000000000"
	askInbox  = "_INBOX.4Zk9hQ2w8xTn3vB7yLs1Xc."
)

func newTalk(t testing.TB, e asking) *talk {
	b, addr := start(t, Options{NoShortFirstPing: true, Authenticator: byUser{}})
	commit, err := b.PrepareAccounts(e.accounts)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	as := func(user, line string) *peer {
		p := dial(t, addr)
		p.send(`CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"user":%q}`+"\r\n%s", user, line)
		p.sync()
		return p
	}
	body := strings.Repeat("x", 128)
	k := &talk{ended: make(chan error, 1)}
	server := as(e.server, e.sub)
	go func() { k.ended <- serve(server.nc, len(body)) }() // ends with the connection
	k.asker = as(e.asker, "SUB "+askInbox+"* 1\r\n")
	var answer string
	const each = 64
	for range each {
		line := fmt.Sprintf("PUB ask %s%s %d\r\n", askInbox, askNumber, len(body))
		if e.header != "" {
			line = fmt.Sprintf("HPUB ask %s%s %d %d\r\n%s", askInbox, askNumber, len(e.header), len(e.header)+len(body), e.header)
		}
		k.out = append(append(k.out, line...), body+"\r\n"...)
		answer += fmt.Sprintf("MSG %s%s 1 %d\r\n%s\r\n", askInbox, askNumber, len(body), body)
	}
	k.in = make([]byte, len(answer))
	for rest := k.out; ; {
		at := bytes.Index(rest, []byte(askNumber))
		if at < 0 {
			break
		}
		k.next = append(k.next, rest[at:at+len(askNumber)])
		rest = rest[at+len(askNumber):]
	}
	t.Cleanup(func() { // lets the server end
		server.nc.(*net.TCPConn).Close()
		<-k.ended
	})
	return k
}

// block sends a block of requests and waits for the answers.
func (k *talk) block(t testing.TB) {
	for _, at := range k.next {
		k.n++
		for n, i := k.n, len(at)-1; i >= 0; n, i = n/10, i-1 {
			at[i] = byte('0' + n%10)
		}
	}
	if _, err := k.asker.nc.Write(k.out); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(k.asker.nc, k.in); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(k.in, k.next[0]) {
		t.Fatalf("answers are %.100q", k.in)
	}
}

func (k *talk) messages() int { return len(k.next) }

// serve answers requests until the connection ends.
func serve(nc net.Conn, size int) error {
	buf, held := make([]byte, 256<<10), 0
	out := make([]byte, 0, 64<<10)
	for {
		n, err := nc.Read(buf[held:])
		if err != nil {
			return err
		}
		held += n
		rest := buf[:held]
		for {
			nl := bytes.IndexByte(rest, '\n')
			if nl < 0 {
				break
			}
			line := rest[:nl-1]
			total := 0
			for _, c := range line[bytes.LastIndexByte(line, ' ')+1:] {
				total = total*10 + int(c-'0')
			}
			end := nl + 1 + total + 2
			if len(rest) < end {
				break
			}
			reply := line
			for range 3 {
				reply = reply[bytes.IndexByte(reply, ' ')+1:]
			}
			reply = reply[:bytes.IndexByte(reply, ' ')]
			out = append(append(append(out, "PUB "...), reply...), " 128\r\n"...)
			out = append(out, rest[end-2-size:end]...)
			rest = rest[end:]
		}
		held = copy(buf, rest)
		if _, err := nc.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
}
