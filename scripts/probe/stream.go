package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// streamName is the stream of the tests and the subject of its messages, which are numbered from 1.
const streamName = "PROBE"

// streamPatience is how long an answer may take: a restart lies in between.
const streamPatience = 30 * time.Second

// stream fills a stream, counts what is in it, or checks it.
func stream(ctx context.Context, url, verb string, more []string) error {
	nc, err := nats.Connect(url, nats.Timeout(5*time.Second), nats.NoReconnect())
	if err != nil {
		return err
	}
	defer nc.Close()
	n := 0
	if len(more) > 0 {
		if n, err = strconv.Atoi(more[0]); err != nil {
			return err
		}
	}
	switch verb {
	case "fill":
		return fill(ctx, nc, n)
	case "count":
		info, err := streamInfo(nc, "INFO", "")
		if err == nil {
			fmt.Println(info.State.Messages)
		}
		return err
	case "check":
		return checkStream(nc, uint64(n))
	}
	return fmt.Errorf("unknown verb %q", verb)
}

// streamState is what a request about the stream is answered with.
type streamState struct {
	Error *struct{ Description string }
	State struct {
		Messages uint64
		LastSeq  uint64 `json:"last_seq"`
	}
}

func streamInfo(nc *nats.Conn, request, body string) (streamState, error) {
	var s streamState
	m, err := nc.Request("$JS.API.STREAM."+request+"."+streamName, []byte(body), streamPatience)
	if err != nil {
		return s, fmt.Errorf("%s: %w", request, err)
	}
	if err = json.Unmarshal(m.Data, &s); err == nil && s.Error != nil {
		err = fmt.Errorf("%s: %s", request, s.Error.Description)
	}
	return s, err
}

// fill publishes n messages, or without end until SIGTERM if n is 0, each after the ack of the one before. It prints the
// number of every message that was acknowledged, at once: whoever reads that knows it even if this machine is gone.
func fill(ctx context.Context, nc *nats.Conn, n int) error {
	s, err := streamInfo(nc, "CREATE", `{"name":"`+streamName+`","storage":"file"}`)
	if err != nil {
		return err
	}
	var longest time.Duration
	for i := s.State.LastSeq + 1; n == 0 || i <= s.State.LastSeq+uint64(n); i++ {
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		m, err := nc.Request(streamName, strconv.AppendUint(nil, i, 10), streamPatience)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		var ack struct {
			Error *struct{ Description string }
			Seq   uint64
		}
		if err := json.Unmarshal(m.Data, &ack); err != nil || ack.Error != nil || ack.Seq != i {
			return fmt.Errorf("message %d: the ack is %s", i, m.Data)
		}
		longest = max(longest, time.Since(began))
		fmt.Println(i)
	}
	fmt.Printf("longest %d ms\n", longest.Milliseconds())
	return nil
}

// checkStream reads every message: all up to number acked must be there, each in its place, and nothing else but one that
// was on its way. It prints how many there are.
func checkStream(nc *nats.Conn, acked uint64) error {
	s, err := streamInfo(nc, "INFO", "")
	if err != nil {
		return err
	}
	if s.State.Messages != s.State.LastSeq || s.State.LastSeq < acked || s.State.LastSeq > acked+1 {
		return fmt.Errorf("%d messages, the last is %d; %d were acknowledged", s.State.Messages, s.State.LastSeq, acked)
	}
	for i := uint64(1); i <= s.State.LastSeq; i++ {
		m, err := nc.Request("$JS.API.STREAM.MSG.GET."+streamName, fmt.Appendf(nil, `{"seq":%d}`, i), streamPatience)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		var got struct{ Message struct{ Data []byte } }
		if err := json.Unmarshal(m.Data, &got); err != nil || string(got.Message.Data) != strconv.FormatUint(i, 10) {
			return fmt.Errorf("message %d: %s", i, m.Data)
		}
	}
	fmt.Println(s.State.Messages)
	return nil
}
