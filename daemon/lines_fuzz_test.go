package daemon

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// shared are texts that a configuration or an account's JWT has for subjects and names.
type shared struct {
	mapped, to, way  string // a mapping, and a weighted one
	stream, streamTo string // a stream import, and its name or prefix here
	service, called  string
	latency, name    string
}

// config is a configuration with them. Everything that needs quoting is quoted.
func (s *shared) config() string {
	q := func(text string) string {
		var b strings.Builder
		b.WriteByte('"')
		for i := range len(text) {
			switch c := text[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c == '\n':
				b.WriteString(`\n`)
			case c == '\r':
				b.WriteString(`\r`)
			case c == '\t':
				b.WriteString(`\t`)
			case c < ' ':
				fmt.Fprintf(&b, `\x%02x`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		return b.String()
	}
	return fmt.Sprintf(`accounts {
		A { users: [ {user: a, password: a} ]
			exports: [ {stream: ">"}, {service: %[6]s, latency: {sampling: 100, subject: %[8]s}}, {service: "svc.>"} ]
			mappings: { %[1]s: %[2]s, "w.*": [ {destination: %[3]s, weight: 50} ] } }
		B { users: [ {user: b, password: b} ]
			imports: [ {stream: {account: A, subject: %[4]s}, to: %[5]s}, {stream: {account: A, subject: "p.>"}, prefix: %[5]s},
				{service: {account: A, subject: %[6]s}, to: %[7]s} ]
			mappings: { %[7]s: %[2]s } }
		%[9]s { users: [ {user: c, password: c} ] }
	}`, q(s.mapped), q(s.to), q(s.way), q(s.stream), q(s.streamTo), q(s.service), q(s.called), q(s.latency), q(s.name))
}

// ofConfig are the accounts of a configuration, nil if it is refused.
func (s *shared) ofConfig(t *testing.T) []broker.AccountOptions {
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(s.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.LoadRequest{File: file})
	if err != nil {
		return nil
	}
	return accountOptions(cfg.Options)
}

// listedAccounts is a resolver.
type listedAccounts map[string]string

func (l listedAccounts) Fetch(_ context.Context, id string) (string, error) {
	if text, ok := l[id]; ok {
		return text, nil
	}
	return "", auth.ErrAccountMissing
}

// collected is the core's side of a book of accounts.
type collected struct {
	list map[string]*auth.SharedAccount
}

func (c *collected) Share(list []*auth.SharedAccount) {
	for _, a := range list {
		c.list[a.ID] = a
	}
}
func (*collected) Recheck(string) {}
func (*collected) Expire(string)  {}
func (*collected) Clear(string)   {}

// ofClaims are the accounts of two JWTs, as far as they are accepted.
func (s *shared) ofClaims(t *testing.T) []broker.AccountOptions {
	key := func(kind nkeys.PrefixByte, n byte) (nkeys.KeyPair, string) {
		raw := make([]byte, 32)
		raw[0] = n
		kp, err := nkeys.FromRawSeed(kind, raw)
		if err != nil {
			t.Fatal(err)
		}
		id, err := kp.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return kp, id
	}
	op, opID := key(nkeys.PrefixByteOperator, 1)
	_, aID := key(nkeys.PrefixByteAccount, 2)
	_, bID := key(nkeys.PrefixByteAccount, 3)
	a, b := jwt.NewAccountClaims(aID), jwt.NewAccountClaims(bID)
	a.Exports.Add(&jwt.Export{Subject: ">", Type: jwt.Stream},
		&jwt.Export{Subject: jwt.Subject(s.service), Type: jwt.Service, Latency: &jwt.ServiceLatency{Sampling: 100, Results: jwt.Subject(s.latency)}},
		&jwt.Export{Subject: "svc.>", Type: jwt.Service})
	a.Mappings = jwt.Mapping{jwt.Subject(s.mapped): {{Subject: jwt.Subject(s.to)}}, "w.*": {{Subject: jwt.Subject(s.way), Weight: 50}}}
	b.Imports.Add(&jwt.Import{Account: aID, Subject: jwt.Subject(s.stream), LocalSubject: jwt.RenamingSubject(s.streamTo), Type: jwt.Stream},
		//lint:ignore SA1019 the old form is still in use
		&jwt.Import{Account: aID, Subject: "p.>", To: jwt.Subject(s.streamTo), Type: jwt.Stream},
		&jwt.Import{Account: aID, Subject: jwt.Subject(s.service), LocalSubject: jwt.RenamingSubject(s.called), Type: jwt.Service})
	b.Mappings = jwt.Mapping{jwt.Subject(s.called): {{Subject: jwt.Subject(s.to)}}}
	known := listedAccounts{}
	for id, c := range map[string]*jwt.AccountClaims{aID: a, bID: b} {
		text, err := c.Encode(op)
		if err != nil {
			return nil
		}
		known[id] = text
	}
	core := &collected{list: map[string]*auth.SharedAccount{}}
	book := auth.NewBook(auth.Trust{Keys: []string{opID}}, known, core, logging.Discard())
	defer book.Stop()
	var list []broker.AccountOptions
	for _, id := range []string{aID, bID} {
		_, _ = book.Lookup(t.Context(), id)
	}
	for _, id := range []string{aID, bID} {
		if got := core.list[id]; got != nil {
			list = append(list, sharedAccount(got))
		} else {
			list = append(list, broker.AccountOptions{Name: id})
		}
	}
	return list
}

// named lets everybody into the account of which he gives the number.
type named []broker.AccountOptions

func (named) Requires() broker.AuthRequirements { return broker.AuthRequirements{Auth: true} }

func (n named) Authenticate(_ context.Context, r *broker.AuthRequest) (*broker.Identity, error) {
	i, err := strconv.Atoi(r.Connect.User)
	if err != nil {
		return nil, &broker.Denied{Err: err}
	}
	return &broker.Identity{Account: n[i].Name, User: "u"}, nil
}

// FuzzConfiguredLines: whatever a configuration or the JWTs of accounts have for subjects and names, those that are
// accepted are accepted by the core too, and all that clients of any account read are well-formed lines, with the
// payloads that were published.
func FuzzConfiguredLines(f *testing.F) {
	add := func(s shared) {
		f.Add(s.mapped, s.to, s.way, s.stream, s.streamTo, s.service, s.called, s.latency, s.name)
	}
	good := shared{"m.*", "ev.$1", "ev.{{wildcard(1)}}.x", "ev.>", "here.>", "svc.*", "ask.*", "lat", "C"}
	add(good)
	for _, evil := range []string{"ev.x\r\nMSG other 1 4\r\nEVIL\r\nMSG ev.y", "a b", "a\tb", "a\nb", "a\rb", "a\fb", "a.{{wildcard( 1 )}} x",
		"$1\r\nx", "{{split(1,\r\n)}}", "{{Left(1, 2)}}.a b", "..", "", "*", ">", "a.>", "a.*\n", "$JS.API.x", "\x00"} {
		for i := range 9 {
			s := good
			*[]*string{&s.mapped, &s.to, &s.way, &s.stream, &s.streamTo, &s.service, &s.called, &s.latency, &s.name}[i] = evil
			add(s)
		}
	}
	f.Fuzz(func(t *testing.T, mapped, to, way, stream, streamTo, service, called, latency, name string) {
		s := &shared{mapped, to, way, stream, streamTo, service, called, latency, name}
		for from, list := range map[string][]broker.AccountOptions{"configuration": s.ofConfig(t), "JWT": s.ofClaims(t)} {
			if list != nil {
				linesOf(t, from, list, s)
			}
		}
	})
}

// linesOf has clients of all accounts publish and subscribe, and looks at what they read.
func linesOf(t *testing.T, from string, list []broker.AccountOptions, s *shared) {
	t.Helper()
	b, err := broker.New(broker.Options{Authenticator: named(list)}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	commit, err := b.PrepareAccounts(list)
	if err != nil {
		t.Fatalf("the %s is accepted, and refused by the core: %v\n%+v", from, err, s)
	}
	commit()
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const payload = "the payload"
	var clients []*bufio.ReadWriter
	for i := range list {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
		rw := bufio.NewReadWriter(bufio.NewReader(nc), bufio.NewWriter(nc))
		if _, err := rw.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(rw, "CONNECT {\"verbose\":false,\"user\":\"%d\",\"headers\":true}\r\nSUB > 1\r\nSUB here.> g 2\r\nPING\r\n", i)
		if err := rw.Flush(); err != nil {
			t.Fatal(err)
		}
		readLines(t, rw, payload, s)
		clients = append(clients, rw)
	}
	for _, rw := range clients {
		for _, to := range []string{"m.x", "w.x", "go", "ev.x", "ev.y.z", "p.x", "svc.x", "ask.x", "here.x", s.mapped, s.called, s.stream, s.service} {
			if to == "" || !subject.FitsLine(to) {
				continue
			}
			fmt.Fprintf(rw, "PUB %s %d\r\n%s\r\nPUB %s re.ply %d\r\n%s\r\n", to, len(payload), payload, to, len(payload), payload)
		}
		fmt.Fprint(rw, "PING\r\n")
		if err := rw.Flush(); err != nil {
			t.Fatal(err)
		}
		readLines(t, rw, payload, s)
	}
	for _, rw := range clients {
		fmt.Fprint(rw, "PING\r\n")
		if err := rw.Flush(); err != nil {
			t.Fatal(err)
		}
		readLines(t, rw, payload, s)
	}
}

// readLines reads up to a PONG, and fails at what is no line of the protocol, or a message that nobody has published.
func readLines(t *testing.T, rw *bufio.ReadWriter, payload string, s *shared) {
	t.Helper()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q\n%+v", err, line, s)
		}
		words := strings.Split(strings.TrimSuffix(line, "\r\n"), " ")
		switch words[0] {
		case "PONG":
			return
		case "PING", "-ERR", "INFO", "+OK":
			continue
		case "MSG", "HMSG":
		default:
			t.Fatalf("%q is no line\n%+v", line, s)
		}
		least := 4
		if words[0] == "HMSG" {
			least = 5
		}
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil || len(words) < least || len(words) > least+1 || words[2] != "1" && words[2] != "2" {
			t.Fatalf("%q is no line\n%+v", line, s)
		}
		for _, w := range words[1:] {
			if w == "" || !subject.FitsLine(w) {
				t.Fatalf("%q is no line\n%+v", line, s)
			}
		}
		body := make([]byte, size+2)
		for n := 0; n < len(body); {
			k, err := rw.Read(body[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		text := string(body)
		sample := strings.HasPrefix(text, "{") || strings.Contains(text, "io.nats.server.metric")
		if !strings.HasSuffix(text, "\r\n") || !strings.HasSuffix(text, payload+"\r\n") && !sample {
			t.Fatalf("behind %q: %q, which nobody has published\n%+v", line, text, s)
		}
	}
}
