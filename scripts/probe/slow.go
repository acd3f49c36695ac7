package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// Of the slow consumer's messages.
const (
	slowMessages = 3000
	slowSize     = 10000
)

// slow subscribes and does not read, lets messages pile up, and on SIGUSR1 publishes
// one more, reads everything, and says whether it was whole and in order.
func slow(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	release := make(chan os.Signal, 1)
	signal.Notify(release, syscall.SIGUSR1)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB slow 1\r\nPING\r\n")
	if line, err := in.ReadString('\n'); err != nil || line != "PONG\r\n" {
		return fmt.Errorf("%q instead of PONG: %v", line, err)
	}
	nc, err := nats.Connect(address, nats.NoReconnect())
	if err != nil {
		return err
	}
	defer nc.Close()
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%09d,", i), slowSize/10) }
	for i := range slowMessages {
		if err := nc.Publish("slow", []byte(body(i))); err != nil {
			return err
		}
	}
	if err := nc.FlushTimeout(10 * time.Second); err != nil {
		return err
	}
	fmt.Println("running")
	select {
	case <-release:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := nc.Publish("slow", []byte(body(slowMessages))); err != nil {
		return err
	}
	for i := range slowMessages + 1 {
		want := fmt.Sprintf("MSG slow 1 %d\r\n%s\r\n", slowSize, body(i))
		got := make([]byte, len(want))
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, got); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if string(got) != want {
			return fmt.Errorf("message %d is not what was sent: %.60q", i, got)
		}
	}
	fmt.Println("ok")
	return nil
}
