package brokertest

import (
	"bytes"
	"strings"
	"testing"
)

func TestScriptErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"# ok\nA opened":    `s.txt:2: unknown command "opened"`,
		"A > $(x*y)":        `s.txt:1: want $(text*count)`,
		"A > \\q":           `s.txt:1: escape at "\\q"`,
		"A open\nA read ab": `s.txt:2: strconv.Atoi`,
	} {
		if _, err := ParseScript("s.txt", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func TestEscapeIsReversible(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, data := range [][]byte{all, []byte("MSG foo 1 2\r\nhi"), bytes.Repeat([]byte("x"), 1000), {}} {
		back, err := unescape(escape(data))
		if err != nil || !bytes.Equal(back, data) {
			t.Errorf("%q came back as %q, %v", data, back, err)
		}
	}
}

// A mask that hides too much would let a wrong INFO pass.
func TestMaskInfoKeepsWhatMatters(t *testing.T) {
	good := `INFO {"server_id":"NA33E66VUDQLOC6Y43YRM2UWCTXRTYW3NRN5RUNQZ3SRKCZ7M2VFUC6L","port":1,"max_payload":7,"client_id":5} `
	if got, want := maskInfo(good, 1), `INFO {"server_id":(server nkey),"port":(port),"max_payload":7,"client_id":(number)} `; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	bad := strings.NewReplacer("FUC6L", "FUC6M", `"port":1`, `"port":2`, ":5", ":0").Replace(good)
	for _, part := range []string{"NOT a server nkey", `"port":2`, "NOT a number"} {
		if got := maskInfo(bad, 1); !strings.Contains(got, part) {
			t.Errorf("%q is not in %s", part, got)
		}
	}
}
