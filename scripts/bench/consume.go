package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// consuming is how the messages of a stream are read.
type consuming struct {
	messages int // in the stream, and read
	size     int
	batch    int    // messages asked for at a time; 0: they are pushed
	ahead    int    // requests that stand at a time
	consumer string // further fields of the consumer
	acks     bool   // each message is acknowledged
}

// consume makes the run: the stream is filled, and one client reads all of it. A unit is a message.
func consume(c consuming) func(*run) (result, error) {
	return func(r *run) (result, error) {
		c := c
		c.messages = max(c.messages/r.scale, 2*c.batch)
		if err := fill(r.srv, []string{"bench.s"}, payloadOf(c.size), c.messages); err != nil {
			return nil, fmt.Errorf("filling: %w", err)
		}
		return c.read(r, benchStream)
	}
}

// watch makes the run of a client that has all keys of a bucket sent to it.
func watch(keys int) func(*run) (result, error) {
	return func(r *run) (result, error) {
		keys := max(keys/r.scale, 1000)
		var subjects []string
		for i := range keys {
			subjects = append(subjects, fmt.Sprintf("$KV.bench.key%08d", i))
		}
		if err := fill(r.srv, subjects, payloadOf(128), keys); err != nil {
			return nil, fmt.Errorf("filling: %w", err)
		}
		c := consuming{messages: keys, size: 128, consumer: `"deliver_policy":"last_per_subject","filter_subject":"$KV.bench.>","ack_policy":"none","mem_storage":true`}
		return c.read(r, kvStream)
	}
}

// streamReader is the client that reads.
type streamReader struct {
	consuming
	stream string
	conn   io.ReadWriteCloser
	got    int
	asked  int
	out    []byte
}

func (c consuming) read(r *run, stream string) (result, error) {
	where := "bench.deliver.*"
	if c.batch == 0 {
		where = "bench.deliver.0" // nats-server does not begin to push to a wildcard
	}
	conn, err := dialAndSay(r.srv, login{}, "SUB "+where+" 1\r\n")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := giveUp(conn, 4*patience); err != nil {
		return nil, err
	}
	rd := &streamReader{consuming: c, stream: stream, conn: conn}
	used, took, err := r.costs(func() error {
		if err := api(r.srv, "CONSUMER.CREATE."+stream+".C", rd.config()); err != nil {
			return err
		}
		return rd.all()
	})
	if err != nil {
		return nil, err
	}
	peak, err := r.peak()
	if err != nil {
		return nil, err
	}
	n := float64(c.messages)
	return result{cpu: float64(used) / n, rate: n / took.Seconds(), rss: float64(peak)}, nil
}

func (rd *streamReader) config() string {
	how := `,"name":"C"`
	if rd.batch == 0 {
		how += `,"deliver_subject":"bench.deliver.0"`
	} else {
		how += `,"durable_name":"C","max_ack_pending":100000`
	}
	fields := rd.consumer
	if fields == "" {
		fields = `"ack_policy":"none"`
	}
	return fmt.Sprintf(`{"stream_name":%q,"config":{%s%s},"action":"create"}`, rd.stream, fields, how)
}

// all reads until all messages have come, in order.
func (rd *streamReader) all() error {
	rd.request()
	if err := rd.send(); err != nil {
		return err
	}
	err := eachFrame(rd.conn, rd.message, func(time.Time) error {
		rd.request()
		if err := rd.send(); err != nil {
			return err
		}
		if rd.got == rd.messages {
			return errAsked
		}
		return nil
	})
	if errors.Is(err, errAsked) {
		return rd.confirmed()
	}
	return err
}

// message takes one: MSG bench.deliver.N 1 $JS.ACK.… or HMSG of a status.
func (rd *streamReader) message(line, body []byte) error {
	f := bytes.Fields(line)
	if len(f) < 5 || !bytes.HasPrefix(f[3], []byte("$JS.ACK.")) || len(body) != rd.size {
		return fmt.Errorf("a message of the stream is %q", line)
	}
	rd.got++
	if rd.acks {
		rd.out = append(append(append(rd.out, "PUB "...), f[3]...), " 4\r\n+ACK\r\n"...)
	}
	return nil
}

// request asks for more, so that the requests that stand are as many as there should be.
func (rd *streamReader) request() {
	if rd.batch == 0 {
		return
	}
	for rd.asked < rd.messages && rd.asked-rd.got <= (rd.ahead-1)*rd.batch {
		body := fmt.Sprintf(`{"batch":%d,"expires":60000000000}`, rd.batch)
		rd.out = fmt.Appendf(rd.out, "PUB $JS.API.CONSUMER.MSG.NEXT.%s.C bench.deliver.%d %d\r\n%s\r\n", rd.stream, rd.asked/rd.batch, len(body), body)
		rd.asked += rd.batch
	}
}

func (rd *streamReader) send() error {
	if len(rd.out) == 0 {
		return nil
	}
	_, err := rd.conn.Write(rd.out)
	rd.out = rd.out[:0]
	return err
}

// confirmed waits until the server has read all acks.
func (rd *streamReader) confirmed() error {
	if _, err := rd.conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	b := make([]byte, 64)
	_, err := rd.conn.Read(b)
	return err
}
