package proto

// PubLead is what a PUB begins with. With the subject and a blank behind it, it is the
// head of [Again]; behind an "H", that of an HPUB.
const PubLead = "PUB "

// Again parses a frame that begins with head, as most do whose publisher stays with
// a subject: PUB or HPUB with no reply, in the usual spelling. It returns 0 if this
// is no such frame, or not complete, or too large: Next knows what it is.
func Again(buf []byte, head string, maxPayload int, f *Frame) (n int) {
	if len(buf) > len(head) && buf[0] == 'H' {
		return againHeader(buf, head, maxPayload, f)
	}
	n, size, i := measure(buf, head, maxPayload)
	if n == 0 {
		return 0
	}
	f.Op, f.Subject, f.Reply = Pub, buf[len("PUB "):len(head)-1], nil
	f.Tail, f.Body, f.SizeText = buf[len(head):n], buf[i+2:n], buf[len(head):i]
	f.Hdr, f.Size = -1, size
	return n
}

// RouteAgain parses a frame of another server that begins with head, as [Again] does: RMSG
// (of a leaf node LMSG), or HMSG, for no queue group and with no reply. at is where the subject
// stands in head, which ends with the blank behind it and begins as a message without a header does. maxPayload is 0 for any.
func RouteAgain(buf []byte, head string, at, maxPayload int, f *Frame) (n int) {
	if len(buf) <= len(head) || string(buf[1:len(head)]) != head[1:] {
		return 0
	}
	switch buf[0] {
	case head[0]:
		size, i := number(buf, len(head))
		n = i + 2 + size + 2
		if i == len(head) || n > len(buf) || !crlf(buf, i) || !crlf(buf, n-2) {
			return 0
		}
		f.Op, f.Hdr, f.Size, f.HdrText, f.SizeText, f.Body = Pub, -1, size, nil, buf[len(head):i], buf[i+2:n]
	case 'H':
		hdr, i := number(buf, len(head))
		if hdr == 0 || i+1 >= len(buf) || buf[i] != ' ' {
			return 0
		}
		size, j := number(buf, i+1)
		n = j + 2 + size + 2
		if j == i+1 || n > len(buf) || hdr > size || !crlf(buf, j) || !crlf(buf, n-2) {
			return 0
		}
		f.Op, f.Hdr, f.Size, f.HdrText, f.SizeText, f.Body = HPub, hdr, size, buf[len(head):i], buf[i+1:j], buf[j+2:n]
	default:
		return 0
	}
	if maxPayload > 0 && f.Size > maxPayload {
		return 0
	}
	f.Subject, f.Reply, f.Tail = buf[at:len(head)-1], nil, buf[len(head):n]
	return n
}

// Skip is Again for a PUB of which only the length n, that of its line, and the size
// of its payload are wanted.
func Skip(buf []byte, head string, maxPayload int) (n, line, size int) {
	n, size, line = measure(buf, head, maxPayload)
	return n, line + len("\r\n"), size
}

// Repeats returns how many frames stand behind the first one of buf that have the same
// line and the same length: n is that length, line that of the line with its end. Their
// payloads are not looked at, but for the end.
func Repeats(buf []byte, n, line int) (k int) {
	first := buf[:line]
	for next := buf[n:]; len(next) >= n; next = next[n:] {
		if next[n-2] != '\r' || next[n-1] != '\n' || string(next[:line]) != string(first) {
			break
		}
		k++
	}
	return k
}

// measure finds the extent of a PUB that begins with head: its length, 0 if it is none or not
// complete or too large, the size of its payload, and where the size as written ends.
func measure(buf []byte, head string, maxPayload int) (n, size, i int) {
	if len(buf) < len(head)+len("0\r\n\r\n") || string(buf[:len(head)]) != head {
		return 0, 0, 0
	}
	size, i = number(buf, len(head))
	n = i + 2 + size + 2
	if i == len(head) || n > len(buf) || size > maxPayload || !crlf(buf, i) || !crlf(buf, n-2) {
		return 0, 0, 0
	}
	return n, size, i
}

// againHeader is Again for HPUB.
func againHeader(buf []byte, head string, maxPayload int, f *Frame) (n int) {
	start := 1 + len(head)
	if len(buf) < start+len("1 1\r\n\r\n") || string(buf[1:start]) != head {
		return 0
	}
	hdr, i := number(buf, start)
	if hdr == 0 || i+1 >= len(buf) || buf[i] != ' ' {
		return 0
	}
	size, j := number(buf, i+1)
	n = j + 2 + size + 2
	if j == i+1 || n > len(buf) || size > maxPayload || hdr > size || !crlf(buf, j) || !crlf(buf, n-2) {
		return 0
	}
	f.Op, f.Subject, f.Reply = HPub, buf[len("HPUB "):start-1], nil
	f.Tail, f.Body = buf[start:n], buf[j+2:n]
	f.HdrText, f.SizeText = buf[start:i], buf[i+1:j]
	f.Hdr, f.Size = hdr, size
	return n
}

// number reads at most nine digits from i on and returns where they end.
func number(buf []byte, i int) (value, end int) {
	for stop := min(i+9, len(buf)); i < stop; i++ {
		d := buf[i] - '0'
		if d > 9 {
			break
		}
		value = value*10 + int(d)
	}
	return value, i
}

// crlf reports whether "\r\n" is at i.
func crlf(buf []byte, i int) bool {
	return i+1 < len(buf) && buf[i] == '\r' && buf[i+1] == '\n'
}
