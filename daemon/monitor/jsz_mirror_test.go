package monitor

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestJszOfMirrors shows what a mirror is told of, and its consumer only where that is asked for.
func TestJszOfMirrors(t *testing.T) {
	f := newFakeStreams(1, 1)
	f.mirrored = true
	a := f.Accounts()[0]
	for _, direct := range []bool{false, true} {
		o := JszOptions{Streams: true, Consumers: true, DirectConsumers: direct}
		b, err := json.Marshal(o.detail(&a, new(pacer)))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if !strings.Contains(text, `"mirror":{"name":"O","lag":5,"active":1000000000}`) || !strings.Contains(text, `"consumer_detail":[{"stream_name":"S0","name":"c0"`) {
			t.Errorf("%s", text)
		}
		if strings.Contains(text, `"direct_consumer_detail":[{"stream_name":"S0","name":"JS_MIRROR_x"`) != direct || strings.Contains(text, "JS_MIRROR_x") != direct {
			t.Errorf("direct %v: %s", direct, text)
		}
	}
}
