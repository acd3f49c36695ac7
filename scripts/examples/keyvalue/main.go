// Command keyvalue shows a bucket of keys and values: what is written is kept,
// a writer who has seen an old value is refused, and who watches is told.
//
//	go run ./scripts/examples/keyvalue -s nats://127.0.0.1:4222
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	url := flag.String("s", nats.DefaultURL, "`URL` of the broker")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*url); err != nil {
		log.Fatal("keyvalue: ", err)
	}
}

func run(url string) (err error) {
	nc, err := nats.Connect(url, nats.Name("keyvalue"))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "EXAMPLE", History: 5})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, js.DeleteKeyValue(ctx, "EXAMPLE")) }()
	if _, err := kv.PutString(ctx, "colour.sky", "blue"); err != nil {
		return err
	}
	w, err := kv.Watch(ctx, "colour.*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	if err := change(ctx, kv); err != nil {
		return err
	}
	for told := 0; told < 4; {
		if e := <-w.Updates(); e != nil { // nil: everything that was there has been told
			fmt.Printf("told of %s %q: %s\n", e.Key(), e.Value(), e.Operation())
			told++
		}
	}
	history, err := kv.History(ctx, "colour.sky")
	if err != nil {
		return err
	}
	for _, e := range history {
		fmt.Printf("revision %d of %s: %q\n", e.Revision(), e.Key(), e.Value())
	}
	return nil
}

// change writes three times, and once in vain.
func change(ctx context.Context, kv jetstream.KeyValue) error {
	e, err := kv.Get(ctx, "colour.sky")
	if err != nil {
		return err
	}
	if _, err := kv.Update(ctx, e.Key(), []byte("red"), e.Revision()); err != nil {
		return err
	}
	if _, err := kv.Update(ctx, e.Key(), []byte("green"), e.Revision()); err == nil {
		return errors.New("an old value was enough")
	}
	if _, err := kv.Create(ctx, "colour.grass", []byte("green")); err != nil {
		return err
	}
	return kv.Delete(ctx, "colour.grass")
}
