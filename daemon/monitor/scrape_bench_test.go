package monitor_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// BenchmarkRoundTripWhileScraping measures what monitoring costs the data path:
// the round trip time of requests, one at a time, with many connections open
// (MONITOR_BENCH_CONNS, 10,000 if not set), while one reader asks for an endpoint
// again and again. "quiet" is the same without the reader.
func BenchmarkRoundTripWhileScraping(b *testing.B) {
	conns := 10_000
	if s := os.Getenv("MONITOR_BENCH_CONNS"); s != "" {
		var err error
		if conns, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for _, binary := range []struct{ name, path string }{{"nats-broker", brokertest.OursPlain(b)}, {"nats-server", brokertest.NATSServer(b)}} {
		b.Run(binary.name, func(b *testing.B) {
			port := brokertest.FreePort(b)
			s := brokertest.Start(b, brokertest.Options{Binary: binary.path, Config: fmt.Sprintf("http: \"127.0.0.1:%d\"\n", port)})
			for i := range conns {
				s.Open(b, `{"verbose":false,"name":"idle"}`).Send(fmt.Sprintf("SUB idle.%d 1\r\n", i))
			}
			nc, err := nats.Connect(s.URL())
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			if _, err := nc.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
				b.Fatal(err)
			}
			for _, path := range []string{"", "/connz?limit=10000&sort=pending&auth=1", "/connz?limit=50&sort=pending", "/metrics", "/varz"} {
				name := path
				if path == "" {
					name = "quiet"
				} else if path == "/metrics" && binary.name == "nats-server" {
					continue
				}
				b.Run(name, func(b *testing.B) { roundTrips(b, nc, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), path != "") })
			}
		})
	}
}

// roundTrips reports the round trip times' distribution while url is read.
func roundTrips(b *testing.B, nc *nats.Conn, url string, read bool) {
	quit, done := make(chan struct{}), make(chan int, 1)
	go func() { // ends when the measurement does
		n := 0
		for {
			select {
			case <-quit:
				done <- n
				return
			default:
			}
			if !read {
				<-quit
				done <- 0
				return
			}
			res, err := http.Get(url)
			if err != nil {
				done <- n
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			n++
			time.Sleep(100 * time.Millisecond) // a reader ten times as eager as most
		}
	}()
	times := make([]time.Duration, 0, b.N)
	payload := make([]byte, 128)
	for b.Loop() {
		start := time.Now()
		if _, err := nc.Request("echo", payload, 10*time.Second); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	close(quit)
	n := <-done
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*50/100].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(times[len(times)*999/1000].Microseconds()), "p99.9-µs")
	b.ReportMetric(float64(n), "scrapes")
}
