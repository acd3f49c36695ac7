package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

var update = flag.Bool("update", false, "ask nats-server and write testdata anew")

// consumerStreams are the streams of the requests in testdata/consumers.golden.
var consumerStreams = []string{
	`{"name":"S","subjects":["s.>"]}`,
	`{"name":"L","subjects":["l.>"],"consumer_limits":{"inactive_threshold":60000000000,"max_ack_pending":10}}`,
	`{"name":"Q","subjects":["q.>"],"retention":"workqueue"}`,
}

// consumerRequests are what is asked: the end of the subject, and the body. % stands for the stream's
// name and the head of the configuration.
var consumerRequests = []string{
	`S.c {%"ack_policy":"explicit"}`, `S.c {%}`, `S.c {%"ack_policy":"all","max_deliver":-7,"max_waiting":-1,"max_ack_pending":-5}`,
	`S.c {%"max_batch":-1,"max_expires":-1,"max_bytes":-1,"inactive_threshold":-1}`, `S.c {%"idle_heartbeat":-1,"priority_timeout":-1}`,
	`S.c {%"ack_policy":"explicit","backoff":[1000000000,2000000000],"max_deliver":3}`,
	`S.c {%"ack_policy":"explicit","backoff":[1000000000,2000000000],"max_deliver":1}`,
	`S.c {%"ack_policy":"explicit","backoff":[-1]}`, `S.c {%"ack_policy":"explicit","ack_wait":-1}`,
	`S.c {%"name":"a b"}`, `S.c {%"name":"d"}`, `S.c {%"durable_name":"d"}`, `S.c {%"durable_name":"c","name":"d"}`, `S.c {%"durable_name":"c","name":"c"}`,
	`S {%"durable_name":"d"}`, `S {%"name":"d/e"}`, `S.a/b {%}`,
	`S.c {%"num_replicas":-1}`, `S.c {%"num_replicas":2}`, `S.c {%"num_replicas":1}`,
	`S.c {%"ack_policy":"some"}`, `S.c {%"replay_policy":"slow"}`, `S.c {%"deliver_policy":"some"}`, `S.c {%"deliver_policy":"undefined"}`,
	`S.c {%"priority_policy":"some"}`, `S.c {%"ack_policy":1}`, `S.c {%"max_waiting":"x"}`, `S.c {%"no_such_field":1}`,
	`S.c {%"ack_policy":"flow_control"}`, `S.c {%"ack_policy":"flow_control","deliver_subject":"d"}`,
	`S.c {%"ack_policy":"flow_control","deliver_subject":"d","ack_wait":1}`, `S.c {%"ack_policy":"flow_control","deliver_subject":"d","max_deliver":1}`,
	`S.c {%"ack_policy":"flow_control","deliver_subject":"d","max_ack_pending":-1}`,
	`S.c {%"deliver_subject":"a.*"}`, `S.c {%"deliver_subject":"a..b"}`, `S.c {%"deliver_subject":"s.x"}`, `S.c {%"deliver_subject":"$JS.API.INFO"}`,
	`S.c {%"deliver_subject":"$JS.ACK.x"}`, `S.c {%"deliver_subject":"_R_.x"}`, `S.c {%"deliver_subject":"d","max_waiting":1}`,
	`S.c {%"deliver_subject":"d","max_ack_pending":1}`, `S.c {%"deliver_subject":"d","idle_heartbeat":1000000}`,
	`S.c {%"deliver_subject":"d","flow_control":true}`, `S.c {%"deliver_subject":"d","flow_control":true,"idle_heartbeat":1000000000}`,
	`S.c {%"deliver_subject":"d","rate_limit_bps":1000}`, `S.c {%"rate_limit_bps":1000}`, `S.c {%"idle_heartbeat":1000000000}`, `S.c {%"flow_control":true}`,
	`S.c {%"max_expires":1000}`, `S.c {%"max_expires":1000000,"max_batch":5,"max_bytes":6}`,
	`L.c {%"ack_policy":"explicit"}`, `L.c {%"ack_policy":"explicit","max_ack_pending":11}`, `L.c {%"inactive_threshold":61000000000}`,
	`S.c {%"direct":true}`, `S.c {%"direct":true,"deliver_subject":"d","durable_name":"c"}`,
	`S.c {%"filter_subject":"s.a","filter_subjects":["s.b"]}`, `S.c {%"filter_subjects":[""]}`, `S.c {%"filter_subjects":["s.a","s.*"]}`,
	`S.c {%"filter_subjects":["s.a","s..b"]}`, `S.c {%"filter_subject":"s..b"}`, `S.c {%"filter_subjects":["s.a","s.b"]}`, `S.c {%"filter_subjects":["s.a"]}`,
	`S.c {%"filter_subject":"other.>"}`, `S.c.s.a {%"filter_subject":"s.a"}`, `S.c.s.a {%"filter_subject":"s.b"}`, `S.c.s.a {%"filter_subjects":["s.a","s.b"]}`, `S.c.s.a {%}`,
	`S.c {%"deliver_policy":"all","opt_start_seq":1}`, `S.c {%"deliver_policy":"all","opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"deliver_policy":"last","opt_start_seq":1}`, `S.c {%"deliver_policy":"last","opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"deliver_policy":"new","opt_start_seq":1}`, `S.c {%"deliver_policy":"new","opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"deliver_policy":"last_per_subject"}`, `S.c {%"deliver_policy":"last_per_subject","opt_start_seq":1}`,
	`S.c {%"deliver_policy":"last_per_subject","opt_start_time":"2020-01-01T00:00:00Z"}`, `S.c {%"deliver_policy":"last_per_subject","filter_subject":"s.*"}`,
	`S.c {%"deliver_policy":"by_start_sequence"}`, `S.c {%"deliver_policy":"by_start_sequence","opt_start_seq":3}`,
	`S.c {%"deliver_policy":"by_start_sequence","opt_start_seq":3,"opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"deliver_policy":"by_start_time"}`, `S.c {%"deliver_policy":"by_start_time","opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"deliver_policy":"by_start_time","opt_start_seq":2,"opt_start_time":"2020-01-01T00:00:00Z"}`,
	`S.c {%"sample_freq":"50%"}`, `S.c {%"sample_freq":"x"}`, `S.c {%"sample_freq":"100"}`,
	`S.c {%"priority_groups":["g"]}`, `S.c {%"priority_timeout":1}`, `S.c {%"priority_policy":"overflow"}`, `S.c {%"priority_policy":"overflow","priority_groups":[""]}`,
	`S.c {%"priority_policy":"overflow","priority_groups":["a b"]}`, `S.c {%"priority_policy":"overflow","priority_groups":["12345678901234567"]}`,
	`S.c {%"priority_policy":"pinned_client","priority_groups":["a"]}`, `S.c {%"priority_policy":"prioritized","priority_groups":["a","b"]}`,
	`S.c {%"priority_policy":"overflow","priority_groups":["a"],"deliver_subject":"d"}`,
	`S.c {%"metadata":{"a":"b","_nats.ver":"x"}}`, `S.c {%"pause_until":"2199-01-01T00:00:00Z"}`, `S.c {%"mem_storage":true,"headers_only":true}`,
	`S.c {%"description":"about it"}`, `Q.c {%"ack_policy":"none"}`,
	`S.c {%"ack_policy":"explicit","max_waiting":-1,"pedantic":1}`,
	`S.c !{%"max_deliver":-7}`, `S.c !{%"max_waiting":-7}`, `S.c !{%"max_ack_pending":-7}`, `S.c !{%"max_batch":-7}`, `S.c !{%"max_expires":-7}`,
	`S.c !{%"max_bytes":-7}`, `S.c !{%"idle_heartbeat":-7}`, `S.c !{%"inactive_threshold":-7}`, `S.c !{%"priority_timeout":-7}`,
	`S.c !{%"ack_policy":"explicit","backoff":[5],"ack_wait":6}`, `L.c !{%"ack_policy":"explicit"}`, `L.c !{%"max_ack_pending":3}`,
	`X.c {%}`, `T.c {%}`,
}

// asked returns the subject and the body of a request of the list.
func asked(line string) (subj, body string) {
	end, rest, _ := strings.Cut(line, " ")
	stream, _, _ := strings.Cut(end, ".")
	if stream == "T" {
		stream = "S"
	}
	rest, pedantic := strings.CutPrefix(rest, "!")
	body = fmt.Sprintf(`{"stream_name":%q,"config":%s,"pedantic":%v}`, stream, strings.Replace(rest, "%", "", 1), pedantic)
	return createPrefix + end, body
}

// answer is what a line of the golden file says: an error, or the configuration of the answer.
func answer(config json.RawMessage, err *Error) string {
	if err != nil {
		return fmt.Sprintf("%d %d %s", err.Status, err.Code, err.Text)
	}
	var c map[string]any
	json.Unmarshal(config, &c)
	delete(c, "metadata")
	b, _ := json.Marshal(c)
	return string(b)
}

func TestConsumerConfigurations(t *testing.T) {
	path := filepath.Join("testdata", "consumers.golden")
	if *update {
		recordConsumers(t, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]*StreamConfig{}
	for _, s := range consumerStreams {
		var c StreamConfig
		if err := Decode([]byte(s), true, &c); err != nil {
			t.Fatal(err)
		}
		checked, e := c.Check(&Surroundings{}, false)
		if e != nil {
			t.Fatal(e)
		}
		streams[c.Name] = checked
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2*len(consumerRequests) {
		t.Fatalf("%d lines for %d requests: run with -update", len(lines), len(consumerRequests))
	}
	for i, r := range consumerRequests {
		if lines[2*i] != r {
			t.Fatalf("line %d is %q, want %q: run with -update", 2*i, lines[2*i], r)
		}
		if got := decide(streams, r); got != lines[2*i+1] {
			t.Errorf("%s\n got %s\nwant %s", r, got, lines[2*i+1])
		}
	}
}

// decide answers a request as far as this package does.
func decide(streams map[string]*StreamConfig, line string) string {
	subj, body := asked(line)
	var r ConsumerRequest
	if err := Decode([]byte(body), true, &r); err != nil {
		return answer(nil, InvalidJSON.Error(err))
	}
	if err := r.Named(subj); err != nil {
		return answer(nil, err)
	}
	if r.Config.Replicas > 1 {
		return answer(nil, ReplicasNotSupported.Error())
	}
	s := streams[r.Stream]
	if s == nil {
		return answer(nil, StreamNotFound.Error())
	}
	c, err := r.Config.Check(&ConsumerSurroundings{Stream: s}, r.Pedantic)
	if err != nil {
		return answer(nil, err)
	}
	b, _ := json.Marshal(c)
	return answer(b, nil)
}

// recordConsumers asks nats-server.
func recordConsumers(t *testing.T, path string) {
	s := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Args: []string{"-js", "-sd", t.TempDir()}})
	nc, err := nats.Connect("nats://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ask := func(subj, body string) (a struct {
		Error  *Error          `json:"error"`
		Config json.RawMessage `json:"config"`
		Name   string          `json:"name"`
	}) {
		m, err := nc.Request(subj, []byte(body), 5*time.Second)
		if err != nil {
			t.Fatal(subj, body, err)
		}
		if err := json.Unmarshal(m.Data, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, s := range consumerStreams {
		var c StreamConfig
		json.Unmarshal([]byte(s), &c)
		if a := ask(Prefix+".STREAM.CREATE."+c.Name, s); a.Error != nil {
			t.Fatal(a.Error)
		}
	}
	var out strings.Builder
	for _, r := range consumerRequests {
		subj, body := asked(r)
		a := ask(subj, body)
		fmt.Fprintf(&out, "%s\n%s\n", r, answer(a.Config, a.Error))
		if a.Error == nil {
			stream, _, _ := strings.Cut(r, ".")
			ask(Prefix+".CONSUMER.DELETE."+stream+"."+a.Name, "")
		}
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
