// Command request shows request and reply: a question that is answered, ten
// who answer one question, of which the first wins, and a question for which
// nobody is there, which fails at once instead of after the time allowed.
//
//	go run ./scripts/examples/request -s nats://127.0.0.1:4222
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const patience = 30 * time.Second

func main() {
	url := flag.String("s", nats.DefaultURL, "`URL` of the broker")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*url); err != nil {
		log.Fatal("request: ", err)
	}
}

func run(url string) error {
	service, err := nats.Connect(url, nats.Name("request service"))
	if err != nil {
		return err
	}
	defer service.Close()
	nc, err := nats.Connect(url, nats.Name("request client"))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := oneAnswers(service, nc); err != nil {
		return err
	}
	if err := tenAnswer(service, nc); err != nil {
		return err
	}
	return nobodyAnswers(nc)
}

func oneAnswers(service, nc *nats.Conn) error {
	_, err := service.Subscribe("test3", func(m *nats.Msg) {
		_ = m.Respond([]byte(strings.ToUpper(string(m.Data)))) // the asker notices a lost answer
	})
	if err != nil {
		return err
	}
	if err := service.Flush(); err != nil {
		return err
	}
	m, err := nc.Request("test3", []byte("question"), patience)
	if err != nil {
		return err
	}
	fmt.Printf("test3 answers %s\n", m.Data)
	return nil
}

func tenAnswer(service, nc *nats.Conn) error {
	const responders = 10
	asked := make(chan struct{}, responders)
	for range responders {
		_, err := service.Subscribe("test3.ten", func(m *nats.Msg) {
			_ = m.Respond([]byte("here"))
			asked <- struct{}{}
		})
		if err != nil {
			return err
		}
	}
	if err := service.Flush(); err != nil {
		return err
	}
	m, err := nc.Request("test3.ten", nil, patience)
	if err != nil {
		return err
	}
	for range responders {
		<-asked
	}
	fmt.Printf("%d were asked, the first answer is %q\n", responders, m.Data)
	return nil
}

func nobodyAnswers(nc *nats.Conn) error {
	_, err := nc.Request("test3.nobody", nil, patience)
	if !errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("want %q, got %v", nats.ErrNoResponders, err)
	}
	fmt.Println("nobody is there:", err)
	return nil
}
