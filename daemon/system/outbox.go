package system

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/service"
)

// Maker makes the content of a message once it is its turn to be sent: si then has
// the sequence number and time it is sent under. It runs on the outbox' goroutine and
// must be quick. What it returns is encoded as JSON, unless it is a []byte or a
// string, which go as they are, or nil, for an empty message.
type Maker func(si ServerInfo) any

// message is what a Maker makes, in the account that the service is in.
func (s *Service) message(subject, reply, encoding string, m Maker) service.Message {
	return service.Message{Subject: subject, Reply: reply, Make: func() (header, body []byte, err error) {
		si := s.identity()
		si.Seq, si.Time = s.seq.Add(1), time.Now().UTC()
		if body, err = encode(m(si)); err != nil {
			return nil, nil, err
		}
		if len(body) > 0 && encoding != "" {
			body = compress(body, encoding)
			header = []byte("NATS/1.0\r\nContent-Encoding: " + encoding + "\r\n\r\n")
		}
		return header, body, nil
	}}
}

func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return json.Marshal(v)
}

// The encodings of answers.
const (
	gzipEncoding   = "gzip"
	snappyEncoding = "snappy"
	plainEncoding  = "identity"
)

func compress(b []byte, encoding string) []byte {
	var out bytes.Buffer
	switch encoding {
	case gzipEncoding:
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b) // into memory
		_ = w.Close()
	case snappyEncoding:
		w := s2.NewWriter(&out, s2.WriterSnappyCompat(), s2.WriterConcurrency(1))
		_, _ = w.Write(b)
		_ = w.Close()
	default:
		return b
	}
	return out.Bytes()
}

// accepted is the encoding that a request's header asks for; empty for none. S2 and
// snappy go before gzip, whatever the order; what is not known is answered as it is.
func accepted(header []byte) string {
	value, _ := field(header, "Accept-Encoding")
	return encodingOf(value)
}

// encodingOf is accepted for the value of Accept-Encoding.
func encodingOf(value string) string {
	value = strings.ToLower(value)
	switch {
	case value == "":
		return ""
	case strings.Contains(value, "snappy"), strings.Contains(value, "s2"):
		return snappyEncoding
	case strings.Contains(value, "gzip"):
		return gzipEncoding
	}
	return plainEncoding
}

// field returns the value of a header field.
func field(header []byte, name string) (value string, ok bool) {
	for line := range bytes.Lines(header) {
		key, v, found := bytes.Cut(line, []byte(":"))
		if found && strings.EqualFold(string(key), name) {
			return string(bytes.TrimSpace(v)), true
		}
	}
	return "", false
}
