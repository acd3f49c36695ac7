// Command queue shows a queue group: of all who joined it, one gets each
// message, so that work is shared without anybody handing it out.
//
//	go run ./scripts/examples/queue -s nats://127.0.0.1:4222
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"sync"

	"github.com/nats-io/nats.go"
)

const (
	members  = 3
	messages = 300
)

func main() {
	url := flag.String("s", nats.DefaultURL, "`URL` of the broker")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*url); err != nil {
		log.Fatal("queue: ", err)
	}
}

func run(url string) error {
	w := &work{done: make(chan struct{}), times: map[string]int{}}
	for i := range members {
		nc, err := nats.Connect(url, nats.Name(fmt.Sprintf("queue member %d", i)))
		if err != nil {
			return err
		}
		defer nc.Close()
		if _, err := nc.QueueSubscribe("test2", "queue", func(m *nats.Msg) { w.got(i, m) }); err != nil {
			return err
		}
		if err := nc.Flush(); err != nil {
			return err
		}
	}
	nc, err := nats.Connect(url, nats.Name("queue publisher"))
	if err != nil {
		return err
	}
	defer nc.Close()
	for i := range messages {
		if err := nc.Publish("test2", fmt.Appendf(nil, "job %d", i)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	<-w.done
	return w.report()
}

// work counts who got what. It is safe for concurrent use.
type work struct {
	mu    sync.Mutex
	total int
	by    [members]int
	times map[string]int // job: how often it came
	done  chan struct{}  // closed when as many came as were sent
}

func (w *work) got(member int, m *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	w.by[member]++
	w.times[string(m.Data)]++
	if w.total == messages {
		close(w.done)
	}
}

func (w *work) report() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for job, n := range w.times {
		if n != 1 {
			return fmt.Errorf("%s was done %d times", job, n)
		}
	}
	for member, n := range w.by {
		if n == 0 {
			return fmt.Errorf("member %d got nothing", member)
		}
	}
	if len(w.times) != messages {
		return errors.New("some jobs were not done")
	}
	fmt.Printf("%d jobs, each done once, by all %d members\n", messages, members)
	return nil
}
