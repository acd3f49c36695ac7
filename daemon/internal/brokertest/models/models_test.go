// Package models runs the example programs of scripts/examples, one for each
// messaging model and for streams, keys and values, and objects, and what nats.go does when its broker goes away, against a
// built nats-broker.
package models

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExamplePrograms(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{})
	for _, c := range []struct{ program, want string }{
		{"pubsub", "test1: hello on test1\ntest1: 0 more\n" +
			"test.*.cc: hello on test.a.cc\ntest.*.cc: hello on test.b.cc\ntest.*.cc: 0 more\n"},
		{"queue", "300 jobs, each done once, by all 3 members\n"},
		{"request", "test3 answers QUESTION\n10 were asked, the first answer is \"here\"\n" +
			"nobody is there: nats: no responders available for request\n"},
	} {
		t.Run(c.program, func(t *testing.T) {
			program := brokertest.Build(t, "./scripts/examples/"+c.program)
			out, err := exec.Command(program, "-s", s.URL()).CombinedOutput()
			if err != nil || string(out) != c.want {
				t.Errorf("%v, it says\n%s\nwant\n%s", err, out, c.want)
			}
		})
	}
}

// The programs that store something say the same with nats-server.
func TestStoringExamplePrograms(t *testing.T) {
	for _, c := range []struct{ program, want string }{
		{"stream", "the last job is message 6, sent before: false\nthe last job is message 6, sent before: true\n" +
			"job 2 has come 2 times\n0 messages are left of 6\n"},
		{"keyvalue", "told of colour.sky \"blue\": KeyValuePutOp\ntold of colour.sky \"red\": KeyValuePutOp\n" +
			"told of colour.grass \"green\": KeyValuePutOp\ntold of colour.grass \"\": KeyValueDeleteOp\n" +
			"revision 1 of colour.sky: \"blue\"\nrevision 2 of colour.sky: \"red\"\n"},
		{"object", "film has 1200000 bytes in 10 parts\nwhat is read is what was written: true\n" +
			"a link leads to 1200000 bytes\nafter it was deleted: nats: object not found\n"},
	} {
		program := brokertest.Build(t, "./scripts/examples/"+c.program)
		for name, binary := range map[string]string{"nats-broker": "", "nats-server": brokertest.NATSServer(t)} {
			t.Run(c.program+" "+name, func(t *testing.T) {
				s := brokertest.Start(t, brokertest.Options{Binary: binary, Args: []string{"-js", "-sd", t.TempDir()}})
				out, err := exec.Command(program, "-s", s.URL()).CombinedOutput()
				if err != nil || string(out) != c.want {
					t.Errorf("%v, it says\n%s\nwant\n%s", err, out, c.want)
				}
			})
		}
	}
}

// A client whose broker is killed and started again finds its subscriptions
// standing, plain and queue, and what it published meanwhile arrives.
func TestReconnectAfterRestart(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*brokertest.Server)
	}{
		{"stopped", func(s *brokertest.Server) { s.Stop() }},
		{"killed", func(s *brokertest.Server) { s.Kill() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := brokertest.Start(t, brokertest.Options{})
			lost, back := make(chan struct{}, 2), make(chan struct{}, 2) // once more at the end
			nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
				nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }),
				nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
			if err != nil {
				t.Fatal(err)
			}
			defer closeAndWait(nc)
			plain, err := nc.SubscribeSync("foo.*")
			if err != nil {
				t.Fatal(err)
			}
			queue, err := nc.QueueSubscribeSync("foo.bar", "q")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.FlushTimeout(brokertest.Patience); err != nil {
				t.Fatal(err)
			}
			c.end(s)
			wait(t, lost, "loss of the connection")
			if err := nc.Publish("foo.bar", []byte("while away")); err != nil {
				t.Fatal(err)
			}
			s.Restart()
			wait(t, back, "reconnect")
			if err := nc.Publish("foo.bar", []byte("after")); err != nil {
				t.Fatal(err)
			}
			for _, sub := range []*nats.Subscription{plain, queue} {
				for _, want := range []string{"while away", "after"} {
					m, err := sub.NextMsg(brokertest.Patience)
					if err != nil || string(m.Data) != want {
						t.Errorf("%s %s: %v, %v, want %s", sub.Subject, sub.Queue, m, err, want)
					}
				}
			}
		})
	}
}

// Round after round of answers to one question: each asker gets exactly its own.
func TestRequestsFindTheirAnswers(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{})
	service, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndWait(service)
	for range 10 {
		if _, err := service.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndWait(nc)
	ends := make(chan error, 8)
	for w := range cap(ends) {
		go func() { // ends after its requests; waited for below
			for i := range 200 {
				want := fmt.Sprintf("%d/%d", w, i)
				m, err := nc.Request("echo", []byte(want), brokertest.Patience)
				if err != nil || string(m.Data) != want {
					ends <- fmt.Errorf("request %s: %v, %w", want, m, err)
					return
				}
			}
			ends <- nil
		}()
	}
	for range cap(ends) {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(brokertest.Patience):
		t.Fatalf("no %s within %s", what, brokertest.Patience)
	}
}

// closeAndWait closes nc and returns when its goroutines are done with it.
func closeAndWait(nc *nats.Conn) {
	closed := make(chan struct{})
	nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	nc.Close()
	<-closed
}
