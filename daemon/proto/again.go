package proto

// Head returns what a PUB of a subject begins with in its usual spelling, for
// [Again].
func Head(subject string) string { return "PUB " + subject + " " }

// Again parses a frame that begins with head, as most do whose publisher stays with
// a subject: PUB with no reply, in the usual spelling. It returns 0 if this is no
// such frame, or not complete, or too large: Next knows what it is.
func Again(buf []byte, head string, maxPayload int, f *Frame) (n int) {
	i := len(head)
	if len(buf) < i+len("0\r\n\r\n") || string(buf[:i]) != head {
		return 0
	}
	size := 0
	for i < len(head)+9 && i < len(buf) {
		d := buf[i] - '0'
		if d > 9 {
			break
		}
		size = size*10 + int(d)
		i++
	}
	n = i + 2 + size + 2
	if i == len(head) || n > len(buf) || size > maxPayload || buf[i] != '\r' || buf[i+1] != '\n' ||
		buf[n-2] != '\r' || buf[n-1] != '\n' {
		return 0
	}
	f.Op, f.Subject, f.Reply = Pub, buf[len("PUB "):len(head)-1], nil
	f.Tail, f.Body, f.SizeText = buf[len(head):n], buf[i+2:n], buf[len(head):i]
	f.Hdr, f.Size = -1, size
	return n
}
