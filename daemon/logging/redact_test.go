package logging

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestRedactConnect(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"verbose":false,"user":"a","pass":"geheim"}`, `{"verbose":false,"user":"a","pass":"[REDACTED]"}`},
		{`{"auth_token":"geheim","pass":"geheim"}`, `{"auth_token":"[REDACTED]","pass":"[REDACTED]"}`},
		{`{"pass":"geheim\"geheim","name":"x"}`, `{"pass":"[REDACTED]","name":"x"}`}, // the original shows the second half
		{`{"pass" : "geheim" }`, `{"pass" : "[REDACTED]" }`},
		{`{"PASS":"geheim"}`, `{"PASS":"[REDACTED]"}`},           // the decoder takes it for pass
		{`{"p\u0061ss":"geheim"}`, `{"p\u0061ss":"[REDACTED]"}`}, // and this
		{`{"pass":"geheim`, `{"pass":"[REDACTED]`},
		{`{"pass":12345,"x":1}`, `{"pass":"[REDACTED]","x":1}`},
		{`{"pass":`, `{"pass":"[REDACTED]`},
		{`{"jwt":"eyJ","sig":"abc"}`, `{"jwt":"[REDACTED]","sig":"[REDACTED]"}`},
		{`{"name":"pass","x":"pass:"}`, `{"name":"pass","x":"pass:"}`},
		{`{"passage":"open"}`, `{"passage":"open"}`},
		{`no json`, `no json`},
		{``, ``},
	} {
		in := []byte(c.in)
		got := string(RedactConnect(in))
		want := c.want
		if n := len(want); n > 0 && want[n-1] == ']' {
			want += `"`
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, want)
		}
		if string(in) != c.in {
			t.Errorf("%s was changed in place", c.in)
		}
	}
}

// FuzzRedactConnect: whatever way a secret is written, if the decoder finds it, the trace does not show it.
func FuzzRedactConnect(f *testing.F) {
	f.Add([]byte(`{"pass":"geheim","auth_token":"geheim2"}`))
	f.Add([]byte(`{"Pass":"a\"b","x":{"pass":"z"}}`))
	f.Add([]byte(`{"pass":`))
	f.Fuzz(func(t *testing.T, arg []byte) {
		got := RedactConnect(arg)
		var in, out struct {
			Pass  string `json:"pass"`
			Token string `json:"auth_token"`
		}
		if json.Unmarshal(arg, &in) != nil {
			return
		}
		if err := json.Unmarshal(got, &out); err != nil {
			t.Fatalf("%q became %q: %v", arg, got, err)
		}
		if in.Pass != "" && out.Pass != "[REDACTED]" || in.Token != "" && out.Token != "[REDACTED]" {
			t.Fatalf("%q shows a secret: %q", arg, got)
		}
		if in.Pass == "" && in.Token == "" && !bytes.Contains(got, []byte("REDACTED")) && !bytes.Equal(arg, got) {
			t.Fatalf("%q was changed: %q", arg, got)
		}
	})
}
