package api

import (
	"encoding/json"
	"testing"
)

// FuzzStreamRequest reads any bytes as the configuration of a stream, in strict and in lenient mode. What passes the checks passes them
// again unchanged, and its JSON is read as what it was.
func FuzzStreamRequest(f *testing.F) {
	for _, s := range []string{
		`{"name":"S"}`, `{"name":"S","subjects":["a.>"],"max_msgs":-7,"pedantic":true}`, `{"name":"S","retention":"x"}`, `{"name":"S"}{"name":"T"}`, `[]`, `null`,
		`{"name":"S","republish":{"dest":"b.>"},"subject_transform":{"src":"a.*","dest":"b.{{partition(3,1)}}"}}`, `{"name":"S","mirror":{"name":"O","subject_transforms":[{}]}}`,
		`{"name":"S","sources":[null,{"name":"O","external":{"api":"x"}}],"placement":{"tags":[]}}`, `{"name":"S","subject_delete_marker_ttl":1000000000}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, strict := range []bool{true, false} {
			var r StreamRequest
			if Decode(body, strict, &r) != nil {
				continue
			}
			r.Stamp()
			c, err := r.Check(&Surroundings{}, r.Pedantic)
			if err != nil {
				continue
			}
			again, err := c.Check(&Surroundings{}, false)
			if err != nil || !again.SameAs(c) {
				t.Fatalf("%s: checked again: %v", body, err)
			}
			b, e := json.Marshal(c)
			var back StreamConfig
			if e != nil || Decode(b, true, &back) != nil {
				t.Fatalf("%s: %v", b, e)
			}
			if u, err := c.Update(c); err == nil && !c.Sealed && !u.SameAs(c) {
				t.Fatalf("%s: an update to itself changes it", body)
			}
		}
	})
}

// FuzzGetRequest reads any bytes as one of the smaller requests.
func FuzzGetRequest(f *testing.F) {
	for _, s := range []string{`{"seq":1}`, `{"start_time":"2000-01-01T00:00:00Z"}`, `{"multi_last":["a"],"up_to_time":null}`, `{"seq":-1}`, `{`, ` {} x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = IsDocument(body), IsEmpty(body)
		for _, v := range []any{new(GetRequest), new(PurgeRequest), new(DeleteRequest), new(NamesRequest), new(ListRequest), new(InfoRequest)} {
			if err := Decode(body, true, v); err != nil && err.Error() == "" {
				t.Fatal("an error without a text")
			}
			_ = Decode(body, false, v)
		}
	})
}
