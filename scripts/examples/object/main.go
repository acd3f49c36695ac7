// Command object shows a store of objects of any size: they go in parts, and
// their sum is compared when they are read.
//
//	go run ./scripts/examples/object -s nats://127.0.0.1:4222
package main

import (
	"bytes"
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
		log.Fatal("object: ", err)
	}
}

func run(url string) (err error) {
	nc, err := nats.Connect(url, nats.Name("object"))
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
	store, err := js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "EXAMPLE"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, js.DeleteObjectStore(ctx, "EXAMPLE")) }()
	film := bytes.Repeat([]byte("frame "), 200_000)
	put, err := store.Put(ctx, jetstream.ObjectMeta{Name: "film", Description: "a long one"}, bytes.NewReader(film))
	if err != nil {
		return err
	}
	fmt.Printf("%s has %d bytes in %d parts\n", put.Name, put.Size, put.Chunks)
	read, err := store.GetBytes(ctx, "film") // fails if its sum is another one
	if err != nil {
		return err
	}
	fmt.Printf("what is read is what was written: %v\n", bytes.Equal(read, film))
	if _, err := store.AddLink(ctx, "best film", put); err != nil {
		return err
	}
	linked, err := store.GetBytes(ctx, "best film")
	if err != nil {
		return err
	}
	fmt.Printf("a link leads to %d bytes\n", len(linked))
	if err := store.Delete(ctx, "film"); err != nil {
		return err
	}
	_, err = store.Get(ctx, "film")
	fmt.Println("after it was deleted:", err)
	if !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	return nil
}
