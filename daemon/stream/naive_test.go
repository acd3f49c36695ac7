package stream_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// naive is a stream that stores at once, written down as the rules read. It has no overlay, no index and no hashes.
type naive struct {
	cfg    stream.Config
	list   []stream.Record
	first  uint64 // without messages
	last   uint64
	time   int64
	lastID string
	ids    map[string]naiveID
	wants  string // the subjects of messages that are stored; empty: all
}

func (n *naive) wanted(subj []byte) bool { return n.wants == "" || subject.Matches(n.wants, subj) }

type naiveID struct {
	seq uint64
	at  int64
}

// sent is a message as the test makes it.
type sent struct {
	subject string
	headers map[string]string
	payload int
}

func (m sent) header() []byte {
	if len(m.headers) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("NATS/1.0\r\n")
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range m.headers {
			if !yield(k) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "%s: %s\r\n", k, m.headers[k])
	}
	return []byte(b.String() + "\r\n")
}

func size(r *stream.Record) uint64 {
	return uint64(len(r.Subject) + len(r.Header) + len(r.Payload) + 16)
}

func (n *naive) bytes() (sum uint64) {
	for i := range n.list {
		sum += size(&n.list[i])
	}
	return sum
}

func (n *naive) of(pattern string) (list []*stream.Record) {
	for i := range n.list {
		if subject.Matches(pattern, n.list[i].Subject) {
			list = append(list, &n.list[i])
		}
	}
	return list
}

func (n *naive) forget(now int64) {
	for k, v := range n.ids {
		if v.at <= now-int64(n.cfg.Window) {
			delete(n.ids, k)
		}
	}
}

func (n *naive) offer(m sent, now int64) stream.Verdict {
	r := stream.Record{Subject: []byte(m.subject), Header: m.header(), Payload: make([]byte, m.payload)}
	h := m.headers
	if n.cfg.Sealed {
		return stream.Verdict{Reason: stream.Sealed}
	}
	if n.cfg.MaxMsgSize > 0 && len(r.Header)+len(r.Payload) > n.cfg.MaxMsgSize {
		return stream.Verdict{Reason: stream.MessageTooLarge}
	}
	n.forget(now)
	if v := n.check(m.subject, h); v.Reason != stream.Accepted {
		return v
	}
	wanted := n.wanted(r.Subject)
	if why := n.full(m.subject, h["Nats-Rollup"], size(&r)); why != stream.Accepted && wanted {
		return stream.Verdict{Reason: why}
	}
	r.Seq, r.Time = n.last+1, max(now, n.time)
	n.last, n.time, n.lastID = r.Seq, r.Time, h["Nats-Msg-Id"]
	if id := h["Nats-Msg-Id"]; id != "" && n.cfg.Window > 0 {
		n.ids[id] = naiveID{r.Seq, r.Time}
	}
	if !wanted {
		if len(n.list) == 0 {
			n.first = n.last + 1
		}
		switch h["Nats-Rollup"] {
		case "all":
			n.drop(func(*stream.Record) bool { return true })
		case "sub":
			n.drop(func(of *stream.Record) bool { return string(of.Subject) == m.subject })
		}
		return stream.Verdict{Seq: r.Seq, Skipped: true}
	}
	n.list = append(n.list, r)
	n.limits(m.subject, h["Nats-Rollup"])
	return stream.Verdict{Seq: r.Seq}
}

func (n *naive) check(subj string, h map[string]string) stream.Verdict {
	if v := h["Nats-Expected-Stream"]; v != "" && v != n.cfg.Name {
		return stream.Verdict{Reason: stream.WrongStream}
	}
	if v, of := h["Nats-Expected-Last-Subject-Sequence"], h["Nats-Expected-Last-Subject-Sequence-Subject"]; v != "" {
		if of == "" {
			of = subj
		}
		var actual uint64
		if l := n.of(of); len(l) > 0 {
			actual = l[len(l)-1].Seq
		}
		if v != strconv.FormatUint(actual, 10) {
			return stream.Verdict{Reason: stream.WrongSequence, Seq: actual, Text: stream.OfSubject}
		}
	} else if of != "" {
		return stream.Verdict{Reason: stream.MissingSequence}
	}
	if v := h["Nats-Expected-Last-Sequence"]; v != "" && v != strconv.FormatUint(n.last, 10) {
		return stream.Verdict{Reason: stream.WrongSequence, Seq: n.last}
	}
	if id, ok := n.ids[h["Nats-Msg-Id"]]; ok {
		return stream.Verdict{Reason: stream.Duplicate, Seq: id.seq}
	}
	if v := h["Nats-Expected-Last-Msg-Id"]; v != "" && v != n.lastID {
		return stream.Verdict{Reason: stream.WrongLastID, Text: n.lastID}
	}
	if v := h["Nats-Rollup"]; v != "" && !n.cfg.AllowRollup {
		return stream.Verdict{Reason: stream.RollupDenied}
	} else if v != "" && v != "sub" && v != "all" {
		return stream.Verdict{Reason: stream.RollupInvalid, Text: v}
	}
	return stream.Verdict{}
}

func (n *naive) full(subj, rollup string, bytes uint64) stream.Reason {
	cfg := n.cfg
	if !cfg.DiscardNew {
		if cfg.MaxBytes > 0 && bytes > cfg.MaxBytes {
			return stream.LargerThanStream
		}
		return stream.Accepted
	}
	of := n.of(subj)
	replaces := cfg.MaxMsgsPerSubject > 0 && uint64(len(of)) >= cfg.MaxMsgsPerSubject
	switch {
	case replaces && cfg.DiscardNewPerSubject && rollup == "":
		return stream.TooManyOfSubject
	case cfg.MaxMsgs > 0 && uint64(len(n.list)) >= cfg.MaxMsgs && !replaces:
		return stream.TooManyMessages
	case cfg.MaxBytes > 0 && n.bytes()+bytes > cfg.MaxBytes && (!replaces || size(of[0]) < bytes):
		return stream.TooManyBytes
	}
	return stream.Accepted
}

func (n *naive) drop(which func(r *stream.Record) bool) (count uint64) {
	before := len(n.list)
	n.list = slices.DeleteFunc(n.list, func(r stream.Record) bool { return which(&r) })
	if before > 0 && len(n.list) == 0 {
		n.first = n.last + 1
	}
	return uint64(before - len(n.list))
}

func (n *naive) limits(subj, rollup string) {
	switch rollup {
	case "all":
		n.drop(func(r *stream.Record) bool { return r.Seq < n.last })
	case "sub":
		n.drop(func(r *stream.Record) bool { return r.Seq < n.last && string(r.Subject) == subj })
	}
	n.perSubject()
	for len(n.list) > 0 && (n.cfg.MaxMsgs > 0 && uint64(len(n.list)) > n.cfg.MaxMsgs || n.cfg.MaxBytes > 0 && n.bytes() > n.cfg.MaxBytes) {
		first := n.list[0].Seq
		n.drop(func(r *stream.Record) bool { return r.Seq == first })
	}
}

func (n *naive) perSubject() {
	if n.cfg.MaxMsgsPerSubject == 0 {
		return
	}
	left := map[string]uint64{}
	for _, r := range n.list {
		left[string(r.Subject)]++
	}
	n.drop(func(r *stream.Record) bool {
		left[string(r.Subject)]--
		return left[string(r.Subject)] >= n.cfg.MaxMsgsPerSubject
	})
}

func (n *naive) purge(filter string, seq, keep uint64) uint64 {
	if seq == 1 {
		return 0
	}
	if filter == "" {
		filter = ">"
	}
	if filter == ">" && keep == 0 && (seq == 0 || seq > n.last) {
		count := n.drop(func(*stream.Record) bool { return true })
		if seq > 0 {
			n.last = seq - 1
		}
		n.first = n.last + 1
		return count
	}
	of := n.of(filter)
	if keep > 0 {
		of = of[:max(0, len(of)-int(keep))]
	}
	gone := map[uint64]bool{}
	for _, r := range of {
		if seq == 0 || r.Seq < seq {
			gone[r.Seq] = true
		}
	}
	return n.drop(func(r *stream.Record) bool { return gone[r.Seq] })
}

func (n *naive) delete(seq uint64) uint64 {
	return n.drop(func(r *stream.Record) bool { return r.Seq == seq })
}

func (n *naive) expire(now int64) {
	if n.cfg.MaxAge > 0 {
		n.drop(func(r *stream.Record) bool { return r.Time <= now-int64(n.cfg.MaxAge) })
	}
}

func (n *naive) configure(cfg stream.Config) {
	n.cfg = cfg
	n.perSubject()
	n.limits("", "")
}

// step is how far apart messages are in the tests.
const step = 10 * time.Millisecond

func headerOf(header []byte, name string) string {
	for line := range strings.SplitSeq(string(header), "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}
