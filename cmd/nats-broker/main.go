// nats-broker is a message broker that speaks the NATS protocol.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

func main() {
	addr := flag.String("a", "0.0.0.0", "address to listen on")
	port := flag.Int("p", 4222, "port to listen on")
	flag.Parse()
	if err := run(*addr, *port); err != nil {
		fmt.Fprintln(os.Stderr, "nats-broker:", err)
		os.Exit(1)
	}
}

func run(addr string, port int) error {
	b, err := broker.New(broker.Options{Host: addr, Port: port, GoVersion: runtime.Version()}, logging.Discard())
	if err != nil {
		return err
	}
	l, err := b.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(max(port, 0))))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening on", l.Addr())
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	<-sig
	b.Stop()
	return nil
}
