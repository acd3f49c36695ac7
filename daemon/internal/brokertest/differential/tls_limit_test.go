package differential

import (
	"crypto/tls"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// TestTLSRefusals: what a tls block may not say is refused by both, in the words of nats-server where those say what is
// wrong.
func TestTLSRefusals(t *testing.T) {
	pair := certtest.SelfSigned(t, "broker")
	for option, want := range map[string]string{
		`min_version: "1.1"`:               "unsupported TLS version: TLS 1.1",
		`min_version: "1.4"`:               "unknown version: 1.4",
		`cipher_suites: ["NOPE"]`:          "unrecognized cipher NOPE",
		`cipher_suites: []`:                "cannot be empty",
		`curve_preferences: ["nope"]`:      "unrecognized curve preference nope",
		`curve_preferences: []`:            "cannot be empty",
		`pinned_certs: ["zz"]`:             "does not look like",
		`connection_rate_limit: "x"`:       "connection_rate_limit",
		`nope: 1`:                          `unknown field "nope"`,
		`cert_file: "/does/not/exist.pem"`: "/does/not/exist.pem",
	} {
		config := fmt.Sprintf("tls { cert_file: %q, key_file: %q, %s }\n", pair.CertFile, pair.KeyFile, option)
		for _, binary := range []string{brokertest.Ours(t), brokertest.NATSServer(t)} {
			said, refused := brokertest.Refuses(t, brokertest.Options{Binary: binary, Config: config})
			if !refused || !strings.Contains(said, want) {
				t.Errorf("%s: want %q; refused: %v\n%s", option, want, refused, said)
			}
		}
	}
}

var rejected = regexp.MustCompile(`Rejected (\d+) connections due to TLS rate limiting`)

// TestTLSRateLimit: of many connections at once both let as many in as a second has, and the log counts the others.
func TestTLSRateLimit(t *testing.T) {
	pair := certtest.SelfSigned(t, "broker")
	const limit, many = 3, 60 // the last ones would be let in when 20 seconds have passed
	for name, binary := range map[string]string{"nats-broker": brokertest.Ours(t), "nats-server": brokertest.NATSServer(t)} {
		s := brokertest.Start(t, brokertest.Options{Binary: binary,
			Config: fmt.Sprintf("tls { cert_file: %q, key_file: %q, timeout: 20, connection_rate_limit: %d }\n", pair.CertFile, pair.KeyFile, limit)})
		var in atomic.Int64
		counted := func() (n int64) {
			for _, m := range rejected.FindAllStringSubmatch(s.Logs(), -1) {
				k, _ := strconv.ParseInt(m[1], 10, 64)
				n += k
			}
			return n
		}
		var all sync.WaitGroup
		begin := time.Now()
		for range many {
			c := s.Dial(t)
			c.Frame() // INFO
			all.Go(func() {
				if tls.Client(c.Net(), &tls.Config{InsecureSkipVerify: true}).Handshake() == nil {
					in.Add(1)
				}
			})
		}
		all.Wait()
		seconds := int64(time.Since(begin)/time.Second) + 1
		if n := in.Load(); n < limit || n > limit*(seconds+1) || n >= many {
			t.Errorf("%s let %d of %d in, within %d s", name, n, many, seconds)
		}
		for end := time.Now().Add(brokertest.Patience); counted() < many-in.Load() && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond) // between looks
		}
		if n := counted(); n != many-in.Load() {
			t.Errorf("the log of %s counts %d, of %d refused", name, n, many-in.Load())
		}
	}
}
