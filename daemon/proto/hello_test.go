package proto

import (
	"encoding/json"
	"testing"
)

// The parts keep their fields' names and order wherever they stand.
func TestHelloParts(t *testing.T) {
	type info struct {
		ServerInfo
		ClientID uint64 `json:"client_id,omitempty"`
		ClusterInfo
		Last bool `json:"last"`
	}
	full := info{
		ServerInfo:  ServerInfo{"S", "n", "2", 1, "c", "go", "h", 2, true, true, true, true, true, 3, true},
		ClientID:    4,
		ClusterInfo: ClusterInfo{"C", true, "D", []string{"a"}, []string{"b"}, true},
	}
	for want, v := range map[string]any{
		`{"server_id":"S","server_name":"n","version":"2","proto":1,"git_commit":"c","go":"go","host":"h","port":2,"headers":true,` +
			`"auth_required":true,"tls_required":true,"tls_verify":true,"tls_available":true,"max_payload":3,"jetstream":true,"client_id":4,` +
			`"cluster":"C","cluster_dynamic":true,"domain":"D","connect_urls":["a"],"ws_connect_urls":["b"],"ldm":true,"last":false}`: full,
		`{"server_id":"","server_name":"","version":"","proto":0,"host":"","port":0,"headers":false,"max_payload":0,"last":false}`: info{},
		`{"echo":false,"verbose":false,"pedantic":false,"tls_required":false,"name":"","headers":false}`:                           ConnectInfo{},
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
	}
	var back info
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil || back.WSConnectURLs[0] != "b" || back.MaxPayload != 3 || back.ClientID != 4 {
		t.Errorf("read back as %+v (%v)", back, err)
	}
}
