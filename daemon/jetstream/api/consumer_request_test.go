package api

import (
	"reflect"
	"testing"
	"time"
)

func TestParsePull(t *testing.T) {
	for body, want := range map[string]PullRequest{
		"": {Batch: 1, Plain: true}, "5": {Batch: 5, Plain: true}, " 5 ": {Batch: 5, Plain: true}, "many": {Batch: 1, Plain: true}, "-3": {Batch: -3, Plain: true},
		`{}`: {}, `{"batch":3,"no_wait":true,"unknown":1}`: {Batch: 3, NoWait: true},
		`{"expires":2000,"idle_heartbeat":1000,"max_bytes":7,"group":"g","id":"x","priority":2,"min_pending":3,"min_ack_pending":4}`: {
			Expires: 2000, Heartbeat: 1000, MaxBytes: 7, Group: "g", ID: "x", Priority: 2, MinPending: 3, MinAckPending: 4},
	} {
		if got, err := ParsePull([]byte(body)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
	for body, want := range map[string]string{
		`{"batch":`:                              "unexpected end of JSON input",
		`{"idle_heartbeat":1000}`:                "heartbeat value too large",
		`{"idle_heartbeat":9223372036854775807}`: "heartbeat value too large",
		`{"expires":1999,"idle_heartbeat":1000}`: "heartbeat value too large",
	} {
		if _, err := ParsePull([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestParseAck(t *testing.T) {
	for body, want := range map[string]AckRequest{
		"": {Kind: AckDone}, "+ACK": {Kind: AckDone}, "+OK": {Kind: AckDone}, "+ACK ": {}, "hello": {},
		"-NAK": {Kind: AckNak}, `-NAK {"delay": 5}`: {Kind: AckNak, Delay: 5, Delayed: true}, "-NAK 300ms": {Kind: AckNak, Delay: 300 * time.Millisecond, Delayed: true},
		"-NAK soon": {Kind: AckNak, Bad: true}, "+WPI": {Kind: AckProgress}, "+WPI ": {},
		"+TERM": {Kind: AckTerm}, "+TERM  no use ": {Kind: AckTerm, Reason: "no use"}, "+NXT": {Kind: AckNext, Next: []byte{}}, "+NXT 5": {Kind: AckNext, Next: []byte(" 5")},
	} {
		if got := ParseAck([]byte(body)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", body, got, want)
		}
	}
}

func TestParseAckSubject(t *testing.T) {
	want := AckSubject{Stream: "S", Consumer: "C", Times: 1, Seq: 22, Num: 3}
	for _, s := range []string{"$JS.ACK.S.C.1.22.3.1700000000000000000.5", "$JS.ACK._.hash.S.C.1.22.3.1700000000000000000.5", "$JS.ACK.d.hash.S.C.1.22.3.17.5.more.tokens"} {
		if got, ok := ParseAckSubject(s); !ok || got != want {
			t.Errorf("%s: %+v", s, got)
		}
	}
	for _, s := range []string{"", "$JS.ACK.S.C.1.22.3.17", "$JS.ACK.S.C.x.22.3.17.5", "$JS.ACK.S.C.1.-2.3.17.5", "$JS.ACK.a.S.C.1.22.3.17.5", "$JS.NAK.S.C.1.22.3.17.5",
		"$JS.ACK.S.C.1.99999999999999999999.3.17.5"} {
		if got, ok := ParseAckSubject(s); ok {
			t.Errorf("%s: %+v", s, got)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	f.Add([]byte(`-NAK {"delay":1}`), "$JS.ACK.S.C.1.2.3.4.5")
	f.Fuzz(func(t *testing.T, body []byte, subj string) {
		ParseAck(body)
		ParsePull(body)
		if s, ok := ParseAckSubject(subj); ok && (s.Times < 0 || s.Stream == "" && len(subj) < 10) {
			t.Fatal(s)
		}
	})
}
