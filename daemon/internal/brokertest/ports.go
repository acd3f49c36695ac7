package brokertest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Ports are taken from below Linux's ephemeral range (32768 and up), so that
// no outgoing connection of another test can hold one for a moment.
const firstPort, lastPort = 12000, 32000

// FreePort returns a TCP port of 127.0.0.1 on which nobody listened a moment
// ago. It never returns 4222, 6222 or 8222.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port found in 100 attempts")
	return 0
}

// listening reports whether some process of this network namespace accepts
// connections on the TCP port. It looks into the kernel's tables, because a
// connection made to find out would be counted and numbered by the server.
func listening(port int) (bool, error) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		found, err := listenerIn(name, port)
		if found || (err != nil && !os.IsNotExist(err)) {
			return found, err
		}
	}
	return false, nil
}

func listenerIn(name string, port int) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const listenState = "0A" // TCP_LISTEN in include/net/tcp_states.h
	want := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && fields[3] == listenState && strings.HasSuffix(fields[1], want) {
			return true, nil
		}
	}
	return false, lines.Err()
}
