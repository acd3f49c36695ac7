package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// proxyKey is a proxy of a test.
func proxyKey(t *testing.T) (nkeys.KeyPair, string) {
	t.Helper()
	kp, err := nkeys.CreateServer()
	if err != nil {
		t.Fatal(err)
	}
	key, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return kp, key
}

// TestTrustedProxy connects as a proxy does, with the nonce signed, by keys that are trusted and not, as users that must
// come through a proxy and others. Both servers take and refuse the same.
func TestTrustedProxy(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			trusted, key := proxyKey(t)
			other, otherKey := proxyKey(t)
			port := brokertest.FreePort(t)
			config := func(key string) string {
				return fmt.Sprintf("http: %d\nproxies { trusted [ {key: %s} ] }\n"+
					`authorization { users [ {user: any, password: p}, {user: must, password: p, proxy_required: true} ] }`,
					port, key)
			}
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: config(key)})
			connect := func(user, password string, by nkeys.KeyPair) (*brokertest.Conn, string) {
				c := s.Dial(t)
				var info struct{ Nonce string }
				if err := json.Unmarshal([]byte(strings.TrimPrefix(c.Frame(), "INFO ")), &info); err != nil {
					t.Fatal(err)
				}
				sig := ""
				if by != nil {
					raw, err := by.Sign([]byte(info.Nonce))
					if err != nil {
						t.Fatal(err)
					}
					sig = base64.RawURLEncoding.EncodeToString(raw)
				}
				c.Send(fmt.Sprintf("CONNECT {\"verbose\":false,\"user\":%q,\"pass\":%q,\"proxy_sig\":%q}\r\nPING\r\n", user, password, sig))
				return c, c.Frame()
			}
			var wantReasons []string
			for _, c := range []struct {
				user, password string
				by             nkeys.KeyPair
				answer, reason string
			}{
				{"any", "p", nil, "PONG", ""},
				{"any", "p", trusted, "PONG", ""},
				{"must", "p", trusted, "PONG", ""},
				{"must", "p", nil, "-ERR 'Authorization Violation'", "Proxy Required"},
				{"any", "p", other, "-ERR 'Authorization Violation'", "Proxy Not Trusted"},
				{"must", "p", other, "-ERR 'Authorization Violation'", "Proxy Not Trusted"},
				{"must", "wrong", trusted, "-ERR 'Authorization Violation'", "Authentication Failure"},
			} {
				conn, answer := connect(c.user, c.password, c.by)
				if answer != c.answer {
					t.Errorf("%s, signed %v: %s, want %s", c.user, c.by != nil, answer, c.answer)
				}
				if c.reason == "" {
					continue
				}
				wantReasons = append(wantReasons, c.reason)
				if end := conn.Frame(); end != brokertest.EOF {
					t.Errorf("%s: %s behind the refusal", c.user, end)
				}
			}
			connz := func(query string) (list struct {
				Connections []struct {
					Reason string
					Proxy  struct{ Key string }
				}
			}) {
				t.Helper()
				answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/connz?%s", port, query))
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
					t.Fatal(err)
				}
				return list
			}
			var reasons []string
			for _, c := range connz("state=closed&sort=cid").Connections {
				reasons = append(reasons, c.Reason)
			}
			if got := fmt.Sprint(reasons); got != fmt.Sprint(wantReasons) {
				t.Errorf("closed for %v, want %v", got, wantReasons)
			}
			var keys []string
			for _, c := range connz("sort=cid").Connections {
				keys = append(keys, c.Proxy.Key)
			}
			if got, want := fmt.Sprint(keys), fmt.Sprint([]string{"", key, key}); got != want {
				t.Errorf("through proxies %v, want %v", got, want)
			}
			// A key that is no longer trusted takes its connections with it, and no others.
			proxied, _ := connect("must", "p", trusted)
			direct, _ := connect("any", "p", nil)
			from := s.LogLen()
			s.SetConfig(config(otherKey))
			s.Signal(syscall.SIGHUP)
			s.WaitLogFrom("Reloaded server configuration", from)
			if answer := proxied.Frame(); answer != "-ERR 'Authorization Violation'" {
				t.Errorf("its proxy is not trusted any more: %s", answer)
			}
			direct.Send("PING\r\n")
			if answer := direct.Frame(); answer != "PONG" {
				t.Errorf("another connection: %s", answer)
			}
		})
	}
}
