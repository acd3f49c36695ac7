// Command pubsub shows publish and subscribe: everybody who subscribed to a
// subject, by its name or by a wildcard, gets each message once.
//
//	go run ./scripts/examples/pubsub -s nats://127.0.0.1:4222
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	url := flag.String("s", nats.DefaultURL, "`URL` of the broker")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*url); err != nil {
		log.Fatal("pubsub: ", err)
	}
}

func run(url string) error {
	subscriber, err := nats.Connect(url, nats.Name("pubsub subscriber"))
	if err != nil {
		return err
	}
	defer subscriber.Close()
	one, err := subscriber.SubscribeSync("test1")
	if err != nil {
		return err
	}
	many, err := subscriber.SubscribeSync("test.*.cc")
	if err != nil {
		return err
	}
	// Flush returns when the broker has taken the subscriptions: what is
	// published from now on arrives.
	if err := subscriber.Flush(); err != nil {
		return err
	}

	publisher, err := nats.Connect(url, nats.Name("pubsub publisher"))
	if err != nil {
		return err
	}
	defer publisher.Close()
	for _, subject := range []string{"test1", "test.a.cc", "test.b.cc", "test.a.dd", "test2"} {
		if err := publisher.Publish(subject, []byte("hello on "+subject)); err != nil {
			return err
		}
	}
	if err := publisher.Flush(); err != nil {
		return err
	}
	if err := show(one, 1); err != nil {
		return err
	}
	return show(many, 2)
}

// show prints the next n messages and that no other has come.
func show(sub *nats.Subscription, n int) error {
	for range n {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			return fmt.Errorf("%s: %w", sub.Subject, err)
		}
		fmt.Printf("%s: %s\n", sub.Subject, m.Data)
	}
	left, _, err := sub.Pending()
	fmt.Printf("%s: %d more\n", sub.Subject, left)
	return err
}
