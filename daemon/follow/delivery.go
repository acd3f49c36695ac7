package follow

// Delivery is what the reply subject of a delivered message says. Consumer is a part of that subject.
type Delivery struct {
	Consumer []byte
	Times    uint64 // that it was delivered
	Seq      uint64 // in the origin
	Number   uint64 // in the consumer
	Time     int64  // of the message, nanoseconds since 1970
	Pending  uint64 // messages behind it
}

// Tokens of a reply subject, in its short and its long form.
const (
	shortTokens = 9
	longTokens  = 11
	mostTokens  = 12
)

// ParseDelivery reads a reply subject: $JS.ACK.<stream>.<consumer>.<times>.<seq>.<number>.<time>.<pending>, or with domain and
// account in front of the stream. It does not allocate.
func ParseDelivery(reply []byte) (d Delivery, ok bool) {
	var tokens [mostTokens][]byte
	n, from := 0, 0
	for i := 0; i <= len(reply); i++ {
		if i < len(reply) && reply[i] != '.' {
			continue
		}
		if n == mostTokens {
			break // a later version may say more
		}
		tokens[n], from = reply[from:i], i+1
		n++
	}
	at := 3
	switch {
	case n == shortTokens:
	case n >= longTokens:
		at = 5
	default:
		return d, false
	}
	if string(tokens[0]) != "$JS" || string(tokens[1]) != "ACK" || len(tokens[at]) == 0 {
		return d, false
	}
	d.Consumer = tokens[at]
	var time uint64
	for i, to := range []*uint64{&d.Times, &d.Seq, &d.Number, &time, &d.Pending} {
		if *to, ok = number(tokens[at+1+i]); !ok {
			return d, false
		}
	}
	d.Time = int64(time)
	return d, d.Seq > 0 && d.Number > 0
}

// number reads a decimal below 2^63.
func number[T ~[]byte | ~string](b T) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for i := range len(b) {
		c := b[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n < 1<<63
}

// Verdict is what is to be done with a message that has come.
type Verdict uint8

const (
	Take   Verdict = iota // store it, and say so by [Follower.Took]
	Ignore                // it is known, or of a consumer before
	Missed                // something is missing: [Follower.Again]
)

// Look says what is to be done with a message, and what is passed over silently if it is taken: nothing in between is in the origin
// any more, or was asked for.
func (f *Follower) Look(d *Delivery, now int64) Verdict {
	if f.state != Following || string(d.Consumer) != f.consumer || d.Times > 1 {
		return Ignore
	}
	f.heard = now
	switch next := d.Number == f.number+1; {
	case d.Seq <= f.at:
		if next && d.Seq > f.counted { // it is not taken again, but counts
			f.number, f.counted = d.Number, d.Seq
		}
		return Ignore
	case next, f.mirror && d.Seq == f.at+1:
		f.lag = 0
		if d.Pending > 0 {
			f.lag = d.Pending - 1
		}
		return Take
	}
	return Missed
}

// Took notes that a message was stored, or need not be: everything through it is taken.
func (f *Follower) Took(d *Delivery) {
	f.number, f.counted, f.at = d.Number, d.Seq, d.Seq
	f.Moving()
}

// Idle takes a sign of life of the origin's consumer: the number of what it has delivered last, 0 if it does not say. It reports whether
// something is missing.
func (f *Follower) Idle(last uint64, now int64) (missed bool) {
	if f.state != Following {
		return false
	}
	f.heard = now
	return last > 0 && last != f.number
}

// Stalled takes what a sign of life says of a question that the origin has no answer to. It reports whether that is so for long enough
// to be told.
func (f *Follower) Stalled(question string) (tell bool) {
	if question != f.stalledOn {
		f.stalledOn, f.stalls = question, 0
	}
	f.stalls++
	return f.stalls == stallBeats
}

// Moving notes that the origin waits for no answer.
func (f *Follower) Moving() { f.stalledOn, f.stalls = "", 0 }

// Blocked reports whether the origin has been waiting for an answer for long.
func (f *Follower) Blocked() bool { return f.stalls >= stallBeats }
