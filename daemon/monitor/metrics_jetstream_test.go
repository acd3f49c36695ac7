package monitor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample returns the values of the series of a metric whose labels match.
func samples(t *testing.T, text, name, labels string) (list []float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{(.*)\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], labels) {
			continue
		}
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func sum(list []float64) (n float64) {
	for _, v := range list {
		n += v
	}
	return n
}

// However many streams and consumers there are, the number of series stays bounded, the largest have names, and the sums are
// right.
func TestStreamSeriesAreBounded(t *testing.T) {
	f := newFakeBroker(1)
	f.js = newFakeStreams(1000, 3)
	text := scrapeText(t, f, Options{}, "text/plain")
	for name, want := range map[string]struct {
		series int
		sum    float64
	}{
		"jetstream_stream_total_messages":    {maxStreams + 1, 999 * 1000 / 2},
		"jetstream_stream_total_bytes":       {maxStreams + 1, 999 * 1000 / 2 * 1024},
		"jetstream_stream_consumer_count":    {maxStreams + 1, 3000},
		"jetstream_stream_last_seq":          {maxStreams, (900 + 999) * 100 / 2},
		"jetstream_consumer_num_pending":     {maxConsumers + 1, 3 * 999 * 1000 / 2},
		"jetstream_consumer_num_ack_pending": {maxConsumers + 1, 3 * 1000},
		"jetstream_server_total_messages":    {1, 999 * 1000 / 2},
	} {
		got := samples(t, text, name, "")
		if len(got) != want.series || sum(got) != want.sum {
			t.Errorf("%s: %d series with a sum of %v, want %d and %v", name, len(got), sum(got), want.series, want.sum)
		}
	}
	if got := samples(t, text, "jetstream_stream_total_bytes", `stream_name="S999"`); len(got) != 1 || got[0] != 999<<10 {
		t.Errorf("the largest stream: %v", got)
	}
	if got := samples(t, text, "nats_broker_jetstream_consumer_unacked_seconds", ""); len(got) != maxConsumers+1 {
		t.Errorf("%d series of times", len(got))
	}
}

// What is of our own.
func TestStorageMetrics(t *testing.T) {
	f := newFakeBroker(1)
	text := scrapeText(t, f, Options{}, "text/plain")
	for series, want := range map[string]float64{
		`nats_broker_jetstream_commit_seconds_total`:            2.5,
		`nats_broker_jetstream_commits_total`:                   40,
		`nats_broker_jetstream_written_bytes_total segment`:     35 << 10,
		`nats_broker_jetstream_stored_bytes_total`:              30 << 10,
		`nats_broker_jetstream_api_requests_total ok`:           10,
		`nats_broker_jetstream_api_requests_total error`:        2,
		`nats_broker_jetstream_store_memory_bytes tails`:        4096,
		`nats_broker_jetstream_store_memory_max_bytes`:          1 << 30,
		`nats_broker_jetstream_refused_unseen_total`:            7,
		`nats_broker_jetstream_lost_messages`:                   1,
		`nats_broker_jetstream_disk_free_bytes`:                 100 << 30,
		`nats_broker_jetstream_disk_needed_bytes`:               1 << 30,
		`nats_broker_jetstream_storage_failed`:                  0,
		`nats_broker_jetstream_scrubbed_bytes_total`:            8192,
		`nats_broker_jetstream_scrub_end_timestamp_seconds`:     1_700_000_000,
		`nats_broker_jetstream_storage_full`:                    0,
		`nats_broker_jetstream_write_underway_seconds`:          0,
		`nats_broker_jetstream_streams_failed`:                  0,
		`jetstream_server_jetstream_disabled`:                   0,
		`jetstream_consumer_num_ack_pending consumer_name="c1"`: 3,
	} {
		name, label, _ := strings.Cut(series, " ")
		if got := samples(t, text, name, label); sum(got) != want || len(got) == 0 {
			t.Errorf("%s: %v, want %v", series, got, want)
		}
	}
	f.js.storage.Failed, f.js.storage.Full, f.js.storage.Stuck = errDisk, true, 90*time.Second
	f.js.failed = map[string]error{"S1": errDisk}
	text = scrapeText(t, f, Options{}, "text/plain")
	for name, want := range map[string]float64{"storage_failed": 1, "storage_full": 1, "write_underway_seconds": 90, "streams_failed": 1} {
		if got := samples(t, text, "nats_broker_jetstream_"+name, ""); sum(got) != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := samples(t, text, "nats_broker_healthy", ""); sum(got) != 0 {
		t.Error("it is well though nothing can be stored")
	}
	f.js.off = true
	text = scrapeText(t, f, Options{}, "text/plain")
	if got := samples(t, text, "jetstream_server_jetstream_disabled", ""); sum(got) != 1 {
		t.Errorf("disabled: %v", got)
	}
	if strings.Contains(text, "\njetstream_stream_") {
		t.Error("streams are shown though there is no JetStream")
	}
}

// A disk that does not answer keeps consumers from answering, and nobody from seeing the rest.
func TestScrapeWithoutConsumers(t *testing.T) {
	f := newFakeBroker(1)
	f.js.hang = make(chan struct{})
	defer close(f.js.hang)
	f.js.storage.Stuck = time.Minute
	for range 2 { // the second one finds the first one's reader still waiting
		text := scrapeText(t, f, Options{}, "text/plain")
		if got := samples(t, text, "nats_broker_jetstream_write_underway_seconds", ""); sum(got) != 60 {
			t.Errorf("%v", got)
		}
		if got := samples(t, text, "jetstream_stream_total_messages", ""); len(got) != 3 {
			t.Errorf("%v", got)
		}
	}
}

// Health with a disk that fails, fills or hangs, and a stream that takes nothing.
func TestHealthOfStorage(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*fakeStreams)
		o       HealthzOptions
		code    int
		want    string
	}{
		{"well", func(*fakeStreams) {}, HealthzOptions{}, 200, ""},
		{"failed", func(f *fakeStreams) { f.storage.Failed = errDisk }, HealthzOptions{}, 503, "JetStream storage failed: input/output error"},
		{"full", func(f *fakeStreams) { f.storage.Full, f.storage.Free = true, 5 }, HealthzOptions{}, 503, "JetStream has no room on the disk: 5 bytes are free, 1073741824 must be"},
		{"slow", func(f *fakeStreams) { f.storage.Stuck = time.Second }, HealthzOptions{}, 200, ""},
		{"stuck", func(f *fakeStreams) { f.storage.Stuck = time.Minute }, HealthzOptions{}, 503, "JetStream storage does not answer: a write has taken 1m0s so far"},
		{"stuck, the server alone", func(f *fakeStreams) { f.storage.Stuck = time.Minute }, HealthzOptions{JSServerOnly: true}, 200, ""},
		{"stuck, switched on", func(f *fakeStreams) { f.storage.Stuck = time.Minute }, HealthzOptions{JSEnabledOnly: true}, 200, ""},
		{"a stream", func(f *fakeStreams) { f.failed = map[string]error{"S1": errDisk} }, HealthzOptions{}, 503, "JetStream stream 'TEAM0 > S1' write error: input/output error"},
		{"another stream", func(f *fakeStreams) { f.failed = map[string]error{"S1": errDisk} }, HealthzOptions{Account: "TEAM0", Stream: "S2"}, 200, ""},
		{"this stream", func(f *fakeStreams) { f.failed = map[string]error{"S1": errDisk} }, HealthzOptions{Account: "TEAM0", Stream: "S1"}, 503,
			"JetStream stream 'TEAM0 > S1' write error: input/output error"},
		{"a stream that waits", func(f *fakeStreams) { f.delayed = map[string]error{"S1": errDisk} }, HealthzOptions{}, 503,
			"JetStream stream 'TEAM0 > S1' waits: input/output error"},
		{"off", func(f *fakeStreams) { f.off = true }, HealthzOptions{}, 503, "JetStream not enabled (10076)"},
		{"off, switched on", func(f *fakeStreams) { f.off = true }, HealthzOptions{JSEnabledOnly: true}, 503, "JetStream not enabled (10076)"},
		{"off, the server alone", func(f *fakeStreams) { f.off = true }, HealthzOptions{JSServerOnly: true}, 200, ""},
		{"not configured", func(f *fakeStreams) { f.unwanted = true }, HealthzOptions{Account: "nobody"}, 200, ""},
	} {
		f := newFakeBroker(1)
		c.prepare(f.js)
		r := NewReporter(f.source())
		status := map[int]string{200: "ok", 503: "unavailable"}[c.code]
		if h := r.Healthz(c.o); h.StatusCode != c.code || h.Error != c.want || h.Status != status || h.Errors != nil {
			t.Errorf("%s: %+v, want %d %q", c.name, h, c.code, c.want)
		}
		c.o.Details = true
		h := r.Healthz(c.o)
		if (c.want == "") != (len(h.Errors) == 0) || c.want != "" && (h.Errors[0].Error != c.want || h.Status != "error") || h.Error != "" || h.StatusCode != c.code {
			t.Errorf("%s, details: %s", c.name, fmt.Sprintf("%+v", h))
		}
	}
}
