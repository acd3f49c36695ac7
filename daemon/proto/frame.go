package proto

// Op is the verb of a frame.
type Op uint8

// The verbs a client may send.
const (
	None Op = iota
	Pub
	HPub
	Sub
	Unsub
	Ping
	Pong
	Connect
	Info // accepted and ignored, if its argument is JSON
	OK   // accepted and ignored
	Err  // a client that reports an error is closed
)

// Frame is one frame. Its slices lie in the buffer that was parsed and are valid
// as long as that is.
type Frame struct {
	Op  Op
	Arg []byte // the line behind the verb, for all but Ping, Pong and OK

	// Pub and HPub. Tail is what stands behind the subject, through the line feed
	// after the payload, if it can be passed on as it is: "[reply ]size\r\n
	// payload\r\n", or "[reply ]header total\r\npayload\r\n" for HPub. It is nil
	// if the client used other separators.
	Subject, Reply []byte
	Tail           []byte
	Body           []byte // header, if any, and payload, with the final "\r\n"
	Hdr            int    // bytes of header; -1 for Pub; 0 is passed on as if it were Pub
	Size           int    // bytes of header and payload
	HdrText        []byte // the lengths as written
	SizeText       []byte

	// Shown is the subject that clients see, if that is not the one by which the message
	// finds them; nil otherwise. Parsers leave it alone.
	Shown []byte

	// Sub and Unsub
	Queue []byte // Sub: nil for none
	SID   []byte
	Max   int // Unsub: -1 for none or what is no number
}

// Limits bound what a client may send. The zero value of each means no limit.
type Limits struct {
	ControlLine int // bytes of a line behind its verb
	Payload     int // bytes of header and payload; negative: none at all
}
