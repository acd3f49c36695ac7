package stream

import (
	"bytes"
	"fmt"
	"testing"
)

func TestParseControl(t *testing.T) {
	for reply, want := range map[string]string{
		"":                                     "none",
		"_INBOX.x":                             "none",
		".$FI":                                 "none",
		"x.$FI":                                "bad",
		"F.b.10.ok.1.0.$FI":                    "b 10 true 1 0",
		"F.b.10.fail.2.1.$FI":                  "b 10 false 2 1",
		"_INBOX.a.c.b.0.fail.2.4.$FI":          "b 10 false 2 4",
		"F.b.x.fail.2.2.$FI":                   "b 10 false 2 2",
		"F.b.-3.fail.2.2.$FI":                  "b 10 false 2 2",
		"F.b.70000.fail.2.3.$FI":               "b 65535 false 2 3",
		"F.b.10.ok.0.1.$FI":                    "bad",
		"F.b.10.ok.1.1.$FI":                    "bad",
		"F.b.10.ok.2.0.$FI":                    "bad",
		"F.b.10.ok.1.3.$FI":                    "bad",
		"F.b.10.ok.1.5.$FI":                    "bad",
		"F.b.10.maybe.1.0.$FI":                 "bad",
		"b.10.ok.1.0.$FI":                      "bad",
		"F.b.10.ok.18446744073709551614.1.$FI": "b 10 true 18446744073709551614 1",
		"F.b.10.ok.18446744073709551615.1.$FI": "bad",
		"F.b.10.ok.18446744073709551616.1.$FI": "bad",
	} {
		c, fast, ok := ParseControl([]byte(reply))
		got := fmt.Sprintf("%s %d %v %d %d", c.ID, c.Flow, c.GapsOK, c.Seq, c.Op)
		if !fast {
			got = "none"
		} else if !ok {
			got = "bad"
		}
		if got != want {
			t.Errorf("%s: %s; want %s", reply, got, want)
		}
	}
}

// FuzzControl reads any reply subject: what is understood is the subject.
func FuzzControl(f *testing.F) {
	f.Add([]byte("F.b.10.ok.1.0.$FI"))
	f.Add([]byte("....$FI"))
	f.Add([]byte("F.b.65536.fail.007.4.$FI"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, fast, ok := ParseControl(b)
		if fast != (len(b) > 4 && bytes.HasSuffix(b, []byte(".$FI"))) || ok && !fast {
			t.Fatal(fast, ok)
		}
		if ok && (c.Seq == 0 || c.Flow == 0 || c.Op > Ping || bytes.IndexByte(c.ID, '.') >= 0 || !bytes.Contains(b, append(append([]byte("."), c.ID...), '.'))) {
			t.Fatalf("%q: %+v", b, c)
		}
	})
}

// FuzzLines adds a line to any header, and takes it out again.
func FuzzLines(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nA: b\r\n\r\n"))
	f.Add([]byte(""))
	f.Add([]byte("NATS/1.0\r\nNats-X:  1\r\nNats-X: 2\r\n\r\n"))
	f.Fuzz(func(t *testing.T, h []byte) {
		if !bytes.HasSuffix(h, []byte("\r\n\r\n")) || !bytes.HasPrefix(h, []byte(version)) {
			return
		}
		with := WithLine(WithoutLine(h, "Nats-X"), "Nats-X", []byte("value"))
		if v, ok := lineOf(with, "Nats-X"); !ok || string(v) != "value" {
			t.Fatalf("%q", with)
		}
		if _, ok := lineOf(WithoutLine(with, "Nats-X"), "Nats-X"); ok {
			t.Fatalf("%q", with)
		}
	})
}
