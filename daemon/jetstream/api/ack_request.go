package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// AckKind is what an ack asks for.
type AckKind uint8

// What an ack asks for.
const (
	AckUnknown AckKind = iota // nothing that is known: it changes nothing
	AckDone
	AckNak
	AckProgress
	AckTerm
	AckNext
)

// AckRequest is the body of a message to the reply subject of a delivery.
type AckRequest struct {
	Kind    AckKind
	Delay   time.Duration // of AckNak
	Delayed bool          // a delay was given
	Bad     bool          // it was none: delivered again at once
	Reason  string        // of AckTerm
	Next    []byte        // of AckNext: what is asked for
}

// ParseAck reads the body. Next lies in it.
func ParseAck(body []byte) AckRequest {
	switch {
	case len(body) == 0, string(body) == "+ACK", string(body) == "+OK":
		return AckRequest{Kind: AckDone}
	case bytes.HasPrefix(body, []byte("+NXT")):
		return AckRequest{Kind: AckNext, Next: body[4:]}
	case bytes.HasPrefix(body, []byte("-NAK")):
		return parseNak(bytes.TrimSpace(body[4:]))
	case string(body) == "+WPI":
		return AckRequest{Kind: AckProgress}
	case bytes.HasPrefix(body, []byte("+TERM")):
		return AckRequest{Kind: AckTerm, Reason: string(bytes.TrimSpace(body[5:]))}
	}
	return AckRequest{}
}

func parseNak(arg []byte) AckRequest {
	r := AckRequest{Kind: AckNak}
	if len(arg) == 0 {
		return r
	}
	var err error
	if arg[0] == '{' {
		var options struct {
			Delay time.Duration `json:"delay"`
		}
		err = json.Unmarshal(arg, &options)
		r.Delay = options.Delay
	} else {
		r.Delay, err = time.ParseDuration(string(arg))
	}
	if err != nil {
		return AckRequest{Kind: AckNak, Bad: true}
	}
	r.Delayed = true
	return r
}

// AckSubject is what the reply subject of a delivery says.
type AckSubject struct {
	Stream, Consumer string
	Times            int
	Seq, Num         uint64
}

// ParseAckSubject reads a reply subject in either of its forms: nine tokens, or eleven and more with
// domain and account in front.
func ParseAckSubject(subj string) (AckSubject, bool) {
	t := strings.Split(subj, ".")
	switch {
	case len(t) < 9 || t[0] != "$JS" || t[1] != "ACK":
		return AckSubject{}, false
	case len(t) == 9:
		t = t[2:]
	case len(t) >= 11:
		t = t[4:]
	default:
		return AckSubject{}, false
	}
	s := AckSubject{Stream: t[0], Consumer: t[1]}
	var err [3]error
	s.Times, err[0] = strconv.Atoi(t[2])
	s.Seq, err[1] = strconv.ParseUint(t[3], 10, 62)
	s.Num, err[2] = strconv.ParseUint(t[4], 10, 62)
	if err != [3]error{} || s.Times < 0 {
		return AckSubject{}, false
	}
	return s, true
}
