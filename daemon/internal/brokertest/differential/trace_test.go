package differential

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// secrets stand in the CONNECT that is traced.
var secrets = []string{"pa55word", "t0ken", "s1gnature"}

const tracedConnect = `{"verbose":false,"headers":true,"no_responders":true,"name":"a","lang":"go","version":"1",` +
	`"user":"u","pass":"pa55word","auth_token":"t0ken","sig":"s1gnature"}`

// traceScripts are options and what is traced under them. PINGs are sent behind
// each part, so that it is known when everything is in the log.
var traceScripts = []struct{ name, config, talk string }{
	{"messages", "max_traced_msg_len: 12\nmappings: {mapped.x: target.y}", `SUB foo  1|sub   bar  q 2|PUB foo 5
hello|pub  foo  reply  5 ` + `
hello|PUB foo 0
|PUB bar 30
0123456789` + "\x00\"\xff" + `78901234567890123|HPUB foo 22 27
NATS/1.0
A: bcdef

hello|PUB nobody inbox 2
hi|UNSUB 1 1|UNSUB 2|SUB m 7|UNSUB 7 2|PUB m 1
x|PUB m 1
y|SUB bad..x 9|SUB target.* 10|PUB mapped.x 1
z`},
	{"headers", "trace_headers: true", `SUB foo 1|PUB foo 5
hello|HPUB foo 22 27
NATS/1.0
A: bcdef

hello|UNSUB 1`},
}

var traceMasks = []struct{ pattern, by string }{
	{`(?m)^\[\d+\] (\d[\d/:. ]* )?`, ""},
	{`127\.0\.0\.1:\d+`, "ADDR"},
	{`cid:\d+`, "cid:N"},
}

// traceOf returns the trace of a conversation, with what differs from run to run
// masked: the lines of clients.
func traceOf(t *testing.T, binary, config, talk string) string {
	s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: config, Args: []string{"-V"}})
	c := s.Open(t, tracedConnect)
	c.Sync()
	for _, part := range strings.Split(talk, "|") {
		c.Send(strings.ReplaceAll(part, "\n", "\r\n") + "\r\n")
		c.Sync()
	}
	noHeaders := s.Open(t, `{"pedantic":true}`)
	noHeaders.Sync()
	noHeaders.Send("SUB foo 4\r\nPUB foo 3\r\nabc\r\n")
	noHeaders.Sync()
	c.Send("HPUB foo 22 27\r\nNATS/1.0\r\nA: bcdef\r\n\r\nhello\r\n")
	c.Sync()
	noHeaders.Sync()
	noHeaders.Send("PUB foo\r\n") // ends the connection
	s.WaitLog("<-> [DELSUB 4]")
	log := s.Logs()
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows a secret, %s", secret)
		}
	}
	var lines []string
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, "[TRC]") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "\n")
	for _, m := range traceMasks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.by)
	}
	return text
}

// TestTrace compares the lines that -V writes, and finds no secret in them.
func TestTrace(t *testing.T) {
	for _, sc := range traceScripts {
		t.Run(sc.name, func(t *testing.T) {
			want := traceOf(t, brokertest.NATSServer(t), sc.config, sc.talk)
			if !strings.Contains(want, "->> [MSG foo 4 ") {
				t.Fatalf("nats-server has not traced the conversation:\n%s", want)
			}
			if diff := difference(want, traceOf(t, "", sc.config, sc.talk)); diff != "" {
				t.Errorf("the trace differs (- nats-server, + nats-broker)\n%s", diff)
			}
		})
	}
}

// TestTraceSwitchedLive: connections that are there are traced from the reload on
// that asks for it, to the one that does not any more; fan-outs and remembered
// subjects too.
func TestTraceSwitchedLive(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{Config: "trace: false"})
	c := s.Open(t, `{"verbose":false}`)
	c.Send("SUB foo 1\r\nSUB foo 2\r\n")
	c.Sync()
	for i, word := range []string{"", "on", "off", "on"} {
		if i > 0 {
			from := s.LogLen()
			s.SetConfig("trace: " + word)
			s.WaitLogFrom("Reloaded server configuration", s.WaitLogFrom("Reloaded: trace = ", from))
		}
		from := s.LogLen()
		c.Send("PUB foo 1\r\nx\r\nPUB foo 1\r\nx\r\n")
		if n := len(c.Sync()); n != 4 {
			t.Fatalf("%d messages, want 4", n)
		}
		if word == "on" {
			s.WaitLogFrom("->> [PONG]", from)
		}
	}
	if got := strings.Count(s.Logs(), "->> [MSG foo "); got != 8 {
		t.Errorf("%d deliveries traced, want 4 each of 2 times:\n%s", got, s.Logs())
	}
}
