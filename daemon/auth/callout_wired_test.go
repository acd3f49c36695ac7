package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// decider is a callout service of a test: an ordinary client that answers as the user's name asks.
type decider struct {
	t        *testing.T
	issuer   nkeys.KeyPair
	other    nkeys.KeyPair // an account that nobody trusts
	curve    nkeys.KeyPair // nil: nothing is encrypted
	mu       sync.Mutex
	requests []*jwt.AuthorizationRequestClaims
	raw      []string // the payloads of their JWTs
}

func newDecider(t *testing.T, encrypted bool) *decider {
	d := &decider{t: t}
	var err error
	if d.issuer, err = nkeys.CreateAccount(); err != nil {
		t.Fatal(err)
	}
	if d.other, err = nkeys.CreateAccount(); err != nil {
		t.Fatal(err)
	}
	if encrypted {
		if d.curve, err = nkeys.CreateCurveKeys(); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// config is a server that delegates to d. more goes into the callout block, accounts into those of accounts.
func (d *decider) config(more, accounts string) string {
	issuer, _ := d.issuer.PublicKey()
	if d.curve != nil {
		x, _ := d.curve.PublicKey()
		more += ", xkey: " + x
	}
	return fmt.Sprintf(`
accounts { AUTH { users: [ {user: service, password: svc}, {user: spared, password: sp} ] }
  APP { users: [ {user: known, password: kn} ], default_permissions: { publish: "app.>" } }
  %s
  SYS { users: [ {user: sys, password: sys} ] } }
system_account: SYS
authorization { timeout: 1, auth_callout { issuer: %s, account: AUTH, auth_users: [ service, spared ] %s } }
`, accounts, issuer, more)
}

// serve connects the service.
func (d *decider) serve(url string) *nats.Conn {
	d.t.Helper()
	nc, err := nats.Connect(url, nats.UserInfo("service", "svc"), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(nc.Close)
	if _, err := nc.QueueSubscribe("$SYS.REQ.USER.AUTH", "deciders", d.answer); err != nil {
		d.t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		d.t.Fatal(err)
	}
	return nc
}

func (d *decider) answer(m *nats.Msg) {
	data, key := m.Data, m.Header.Get("Nats-Server-Xkey")
	if (key != "") != (d.curve != nil) {
		d.t.Errorf("the key in the header is %q", key)
	}
	if key != "" {
		var err error
		if data, err = d.curve.Open(data, key); err != nil {
			d.t.Error(err)
			return
		}
	}
	q, err := jwt.DecodeAuthorizationRequestClaims(string(data))
	if err != nil {
		d.t.Error(err)
		return
	}
	d.mu.Lock()
	d.requests = append(d.requests, q)
	d.raw = append(d.raw, string(data))
	d.mu.Unlock()
	answer := d.decide(q)
	if answer == nil {
		return
	}
	if key != "" && len(answer) > 0 && !strings.HasPrefix(q.ConnectOptions.Username, "open-") {
		if answer, err = d.curve.Seal(answer, key); err != nil {
			d.t.Error(err)
			return
		}
	}
	_ = m.Respond(answer)
}

// decide makes the answer that the user's name asks for; nil for none.
func (d *decider) decide(q *jwt.AuthorizationRequestClaims) []byte {
	name := strings.TrimPrefix(q.ConnectOptions.Username, "open-")
	u := jwt.NewUserClaims(q.UserNkey)
	u.Audience = "APP"
	r := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	r.Audience = q.Server.ID
	userKey, answerKey := d.issuer, d.issuer
	switch name {
	case "silent":
		return nil
	case "empty":
		return []byte{}
	case "garbage":
		return []byte("eyJ this is no JWT")
	case "huge":
		return []byte("eyJ" + strings.Repeat("x", 900_000))
	case "denied":
		r.Error = "go away"
	case "nothing":
		r.Error = ""
	case "signer":
		userKey = d.other
	case "answersigner":
		answerKey = d.other
	case "userkey":
		u.Subject = freshUser(d.t)
	case "answerkey":
		r.Subject = freshUser(d.t)
	case "server":
		r.Audience = freshServer(d.t)
	case "account":
		u.Audience = "NOBODY"
	case "noaccount":
		u.Audience = ""
	case "expired":
		u.Expires = time.Now().Add(-time.Minute).Unix()
	case "expires":
		u.Expires = time.Now().Add(2 * time.Second).Unix()
	case "websocket":
		u.AllowedConnectionTypes = jwt.StringList{jwt.ConnectionTypeWebsocket}
	case "times":
		now := time.Now().UTC()
		u.Locale = "UTC"
		u.Times = []jwt.TimeRange{{Start: now.Add(2 * time.Hour).Format(time.TimeOnly), End: now.Add(3 * time.Hour).Format(time.TimeOnly)}}
	case "proxy":
		u.ProxyRequired = true
	case "issueraccount":
		u.IssuerAccount, _ = d.issuer.PublicKey()
	case "limited":
		u.Permissions.Pub.Allow.Add("only")
		u.Name = "Renamed"
	case "same":
		u.Audience = "AUTH"
	case "global":
		u.Audience = "$G"
	}
	if r.Error == "" && name != "nothing" {
		r.Jwt, _ = u.Encode(userKey)
	}
	text, err := r.Encode(answerKey)
	if err != nil {
		d.t.Error(err)
	}
	return []byte(text)
}

func freshUser(t *testing.T) string {
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	key, _ := kp.PublicKey()
	return key
}

func freshServer(t *testing.T) string {
	kp, err := nkeys.CreateServer()
	if err != nil {
		t.Fatal(err)
	}
	key, _ := kp.PublicKey()
	return key
}

// calloutCases are users with what becomes of them. logs is what the server must say, empty for nothing in particular.
var calloutCases = []struct {
	user string
	in   bool
	may  string // a subject that the user may publish to; it may not to "forbidden"
	not  string
	logs string
}{
	{user: "anybody", in: true, may: "forbidden"}, // the account's default permissions are for configured users
	{user: "limited", in: true, may: "only", not: "app.x"},
	{user: "same", in: true, may: "forbidden", not: "$SYS.REQ.USER.AUTH"},
	{user: "global", in: true, may: "forbidden"},
	{user: "known", in: true, may: "forbidden"}, // with a wrong password: the service decides
	{user: "denied", logs: "Auth callout service returned an error: go away"},
	{user: "nothing", logs: "Authorization response had validation errors: Error or Jwt is required"},
	{user: "empty", logs: `Auth callout violation: "no reason supplied" on account "AUTH"`},
	{user: "garbage"},
	{user: "huge"},
	{user: "signer", logs: `Wrong issuer for auth callout response on account "AUTH", expected`},
	{user: "userkey", logs: "Expected authorized user of"},
	{user: "answerkey", logs: "Auth callout violation: auth callout response is not for expected user"},
	{user: "server", logs: "Auth callout violation: auth callout response is not for server"},
	{user: "account", logs: `No valid account "NOBODY" for auth callout response on account "AUTH"`},
	{user: "noaccount", logs: `No valid account "" for auth callout response on account "AUTH"`},
	{user: "expired", logs: "Error validating user JWT: claim is expired"},
	{user: "websocket", logs: `Authorized user on account "AUTH" not allowed to use connection type`},
	{user: "times", logs: `Authorized user on account "AUTH" outside of valid connect times`},
	{user: "proxy"},
	{user: "issueraccount"},
}

// TestCallout has a service decide, over a plain and an encrypted callout, of both servers: all answers, right and wrong,
// lead to the same.
func TestCallout(t *testing.T) {
	for name, bin := range binaries(t) {
		for _, encrypted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/encrypted %v", name, encrypted), func(t *testing.T) {
				t.Parallel()
				d := newDecider(t, encrypted)
				s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: d.config("", "")})
				d.serve(s.URL())
				for _, c := range calloutCases {
					playCallout(t, s, c.user, c.in, c.may, c.not, c.logs)
				}
				// Who is not in an encrypted envelope must have signed.
				playCallout(t, s, "open-anybody", true, "app.x", "", "")
				playCallout(t, s, "open-answersigner", false, "", "", "Auth callout signing key is unknown")
				playCallout(t, s, "answersigner", encrypted, "app.x", "", "")
			})
		}
	}
}

func playCallout(t *testing.T, s *brokertest.Server, user string, in bool, may, not, logs string) {
	t.Helper()
	from := s.LogLen()
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	nc, err := nats.Connect(s.URL(), nats.UserInfo(user, "pw"), nats.Name("app"), nats.Timeout(brokertest.Patience), quiet)
	if nc != nil {
		defer nc.Close()
	}
	if (err == nil) != in {
		t.Errorf("%s: let in: %v (%v), want %v", user, err == nil, err, in)
		return
	}
	if logs != "" {
		s.WaitLogFrom(logs, from)
	}
	if err != nil {
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: refused with %v", user, err)
		}
		return
	}
	for _, subj := range []string{may, not} {
		if subj == "" {
			continue
		}
		if err := nc.Publish(subj, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(user, err)
		}
		if err := nc.LastError(); (err == nil) != (subj == may) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q", subj)) {
			t.Errorf("%s: publishing to %q: %v", user, subj, err)
		}
	}
}

// TestCalloutWall has a user whom the service has let into its own account try to see requests of others, and to answer
// them: he may not. The service may.
func TestCalloutWall(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDecider(t, false)
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: d.config("", "")})
			service := d.serve(s.URL())
			errs := make(chan error, 10)
			nc, err := nats.Connect(s.URL(), nats.UserInfo("same", "pw"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			refused := func(what string) {
				t.Helper()
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
				select {
				case err := <-errs:
					if !strings.Contains(err.Error(), "ermissions") {
						t.Errorf("%s: %v", what, err)
					}
				case <-time.After(brokertest.Patience):
					t.Errorf("%s is allowed", what)
				}
			}
			for _, subject := range []string{"$SYS.REQ.USER.AUTH", "$SYS._INBOX.>", "$SYS._INBOX.x"} {
				if _, err := nc.SubscribeSync(subject); err != nil {
					t.Fatal(err)
				}
				refused("subscribing to " + subject)
			}
			for _, subject := range []string{"$SYS.REQ.USER.AUTH", "$SYS._INBOX.x"} {
				if err := nc.Publish(subject, nil); err != nil {
					t.Fatal(err)
				}
				refused("publishing to " + subject)
			}
			// What is wider is allowed, without those.
			wide, err := nc.SubscribeSync("$SYS.>")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			other, err := nats.Connect(s.URL(), nats.UserInfo("anybody", "pw"))
			if err != nil {
				t.Fatal(err)
			}
			other.Close()
			if err := service.Publish("$SYS._INBOX.x", nil); err != nil {
				t.Fatal(err)
			}
			if err := service.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if n, _, err := wide.Pending(); err != nil || n != 0 {
				t.Errorf("%d requests and answers of others are seen (%v)", n, err)
			}
		})
	}
}

// TestCalloutSpares lets users in without the service: those listed, and those of accounts that are not delegated, with
// their passwords only.
func TestCalloutSpares(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDecider(t, false)
			s := brokertest.Start(t, brokertest.Options{Binary: bin,
				Config: d.config(", allowed_accounts: [ APP ]", "LOCAL { users: [ {user: local, password: lo} ] }")})
			connect := func(user, password string) error {
				nc, err := nats.Connect(s.URL(), nats.UserInfo(user, password), nats.Timeout(brokertest.Patience))
				if err == nil {
					nc.Close()
				}
				return err
			}
			for user, password := range map[string]string{"spared": "sp", "local": "lo", "sys": "sys"} {
				if err := connect(user, password); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
			if err := connect("spared", "wrong"); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("a wrong password of one who is spared: %v", err)
			}
			d.serve(s.URL())
			for _, user := range []string{"known", "local", "stranger"} { // the passwords are wrong
				if err := connect(user, "pw"); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
			if n := len(d.requests); n != 3 {
				t.Errorf("%d requests, want 3", n)
			}
		})
	}
}

// TestCalloutAskedAgain has a reload change who can log in, or what the service is told: it is asked again about who is
// there. nats-server closes them, so that they come again. Other changes ask nobody.
func TestCalloutAskedAgain(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDecider(t, false)
			config := d.config("", "")
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: config})
			d.serve(s.URL())
			nc, err := nats.Connect(s.URL(), nats.UserInfo("anybody", "pw"), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			asked := func() int {
				d.mu.Lock()
				defer d.mu.Unlock()
				return len(d.requests)
			}
			for _, c := range []struct {
				what, config string
				again        bool
			}{
				{"a limit", config + "max_payload: 1000000\n", false},
				{"permissions", strings.Replace(config, "password: kn", "password: kn, permissions: { publish: a }", 1), false},
				{"a tag", config + "server_tags: [ x ]\n", true},
				{"a password", strings.Replace(config, "password: kn", "password: new", 1), true},
				{"one user less", strings.Replace(config, "{user: known, password: kn}", "", 1), true},
			} {
				before, from := asked(), s.LogLen()
				s.SetConfig(c.config)
				s.Signal(syscall.SIGHUP)
				s.WaitLogFrom("Reloaded server configuration", from)
				if c.again {
					for end := time.Now().Add(brokertest.Patience); asked() == before && time.Now().Before(end); {
						time.Sleep(5 * time.Millisecond) // between looks, until the service is asked
					}
				}
				for end := time.Now().Add(brokertest.Patience); nc.FlushTimeout(time.Second) != nil && time.Now().Before(end); {
					time.Sleep(5 * time.Millisecond) // between attempts, until who was closed is back
				}
				if again := asked() > before; again != c.again {
					t.Errorf("%s: asked again: %v", c.what, again)
				}
				before, from = asked(), s.LogLen()
				s.SetConfig(config)
				s.Signal(syscall.SIGHUP)
				s.WaitLogFrom("Reloaded server configuration", from)
				if c.again {
					for end := time.Now().Add(brokertest.Patience); asked() == before && time.Now().Before(end); {
						time.Sleep(5 * time.Millisecond) // between looks, until the service is asked
					}
				}
				for end := time.Now().Add(brokertest.Patience); nc.FlushTimeout(time.Second) != nil && time.Now().Before(end); {
					time.Sleep(5 * time.Millisecond) // between attempts, until who was closed is back
				}
			}
		})
	}
}

// TestCalloutSilence has the service not answer, or be absent: the connection ends when its time is over, and others are
// served meanwhile.
func TestCalloutSilence(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDecider(t, false)
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: d.config("", "")})
			steady, err := nats.Connect(s.URL(), nats.UserInfo("spared", "sp"))
			if err != nil {
				t.Fatal(err)
			}
			defer steady.Close()
			for _, served := range []bool{false, true} {
				if served {
					d.serve(s.URL())
				}
				var held sync.WaitGroup
				for range 50 {
					held.Go(func() {
						nc, err := nats.Connect(s.URL(), nats.UserInfo("silent", "pw"), nats.Timeout(brokertest.Patience))
						if err == nil {
							nc.Close()
						}
						if !errors.Is(err, nats.ErrAuthorization) {
							t.Errorf("served %v: %v", served, err)
						}
					})
				}
				for range 100 {
					if err := steady.Flush(); err != nil {
						t.Error(err)
					}
				}
				held.Wait()
			}
		})
	}
}

// TestCalloutExpires closes a connection when the user that the service gave it expires.
func TestCalloutExpires(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDecider(t, false)
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: d.config("", "")})
			d.serve(s.URL())
			said, closed := make(chan error, 8), make(chan struct{})
			nc, err := nats.Connect(s.URL(), nats.UserInfo("expires", "pw"), nats.NoReconnect(), nats.Timeout(brokertest.Patience),
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { said <- err }),
				nats.ClosedHandler(func(*nats.Conn) { close(closed) })) // after the error
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			<-closed
			select {
			case err := <-said:
				if !errors.Is(err, nats.ErrAuthExpired) {
					t.Errorf("closed with %v", err)
				}
			default:
				t.Error("closed without a word")
			}
		})
	}
}

// TestCalloutRequest compares what the service is told by both servers, name by name and type by type.
func TestCalloutRequest(t *testing.T) {
	told := map[string]map[string]string{}
	for name, bin := range binaries(t) {
		d := newDecider(t, true)
		keyed := fmt.Sprintf("K { users: [ {nkey: %s} ] }", freshUser(t)) // makes the server send nonces
		s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: "server_name: here\nserver_tags: [\"a:b\"]\n" + d.config("", keyed)})
		d.serve(s.URL())
		nc, err := nats.Connect(s.URL(), nats.UserInfo("anybody", "pw"), nats.Name("app"), nats.Token("tok"))
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		kp, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		key, _ := kp.PublicKey()
		if nc, err = nats.Connect(s.URL(), nats.Nkey(key, kp.Sign)); err != nil {
			t.Fatal(err)
		}
		nc.Close()
		all := map[string]string{}
		for i, text := range d.raw {
			flatten(t, payload(t, text), fmt.Sprintf("%d", i), all)
			q := d.requests[i]
			if q.Issuer != q.Server.ID || q.Audience != "nats-authorization-request" {
				t.Errorf("%s: issuer %s, server %s, audience %s", name, q.Issuer, q.Server.ID, q.Audience)
			}
			if left := time.Until(time.Unix(q.Expires, 0)); left < -time.Second || left > 2*time.Second {
				t.Errorf("%s: the request expires in %v", name, left)
			}
		}
		told[name] = all
	}
	if a, b := told["nats-server"], told["nats-broker"]; !reflect.DeepEqual(a, b) {
		t.Errorf("nats-server tells %v\nnats-broker tells %v", a, b)
	}
}

// payload decodes the middle part of a JWT.
func payload(t *testing.T, token string) any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// flatten notes the paths of a JSON value with the types at their ends, or with the values where those are the same for
// every server.
func flatten(t *testing.T, v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(t, e, path+"."+k, into)
		}
	case []any:
		for i, e := range v {
			flatten(t, e, fmt.Sprintf("%s[%d]", path, i), into)
		}
	default:
		into[path] = fmt.Sprintf("%T", v)
		for _, same := range []string{".connect_opts.user", ".connect_opts.pass", ".connect_opts.auth_token", ".connect_opts.protocol", ".client_info.name",
			".client_info.host", ".client_info.kind", ".client_info.type", ".client_info.user", ".server_id.name", ".server_id.host",
			".server_id.version", ".nats.type", ".nats.version", ".aud"} {
			if strings.HasSuffix(path, same) && !strings.HasPrefix(path, "1.nats.client_info.user") {
				into[path] = fmt.Sprint(v)
			}
		}
	}
}
