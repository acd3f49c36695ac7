package proto

import "bytes"

// Message fills m in as for a message that a client has published. frame is all of what was
// parsed into f. m has no Tail if the line is spelt otherwise than a client's would be.
func (f *RouteFrame) Message(frame []byte, m *Frame) {
	*m = Frame{Op: Pub, Subject: f.Subject, Reply: f.Reply, Body: f.Body, Hdr: f.Hdr, Size: f.Size}
	if f.Hdr >= 0 {
		m.Op = HPub
	}
	rest, word := cutLastWord(f.Arg)
	m.SizeText, rest = word, oneLess(rest)
	if f.Hdr >= 0 {
		end := len(rest)
		rest, m.HdrText = cutLastWord(rest)
		if len(rest)+len(m.HdrText) != end {
			rest = nil // blanks more than one: it is spelt otherwise
		}
		rest = oneLess(rest)
	}
	if !f.HasQueues {
		m.Tail = f.tail(frame, len(rest))
	}
}

// tail is what stands behind the subject, if it is spelt as PUB has it. rest is the
// length of the line in front of the sizes.
func (f *RouteFrame) tail(frame []byte, rest int) []byte {
	if f.Op == RouteLeafMsg {
		return nil
	}
	at := len(frame) - len(f.Body) - 2 - len(f.Arg)
	from := len(f.Routing)
	if n := len(f.Reply); n > 0 {
		from += 1 + n
	}
	if at < 0 || from != rest || &frame[at] != &f.Arg[0] || !bytes.HasPrefix(frame[at+len(f.Arg):], lineEnd) {
		return nil
	}
	return frame[at+len(f.Routing)+1:]
}

var lineEnd = []byte("\r\n")

// oneLess is b without the blank at its end.
func oneLess(b []byte) []byte { return b[:max(len(b)-1, 0)] }
