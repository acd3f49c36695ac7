package verbs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// chance makes permissions and subjects.
type chance struct{ *rand.Rand }

func (r chance) of(list ...string) string { return list[r.IntN(len(list))] }

var literalSubjects = []string{"a", "b", "a.a", "a.b", "b.a", "b.b", "a.b.a", "a.a.b", "b.a.a"}

func (r chance) pattern() string {
	return r.of(append(slices.Clone(literalSubjects), "*", ">", "a.>", "b.>", "*.a", "a.*", "*.*", "*.b.>", "a.*.a")...)
}

func (r chance) queue() string { return r.of("", "", "q", "r", "q.x") }

// entries is a list of a configuration, queued with queue groups in it, or nothing.
func (r chance) entries(name string, queued bool) string {
	var list []string
	for range r.IntN(4) {
		e := r.pattern()
		if queued && r.IntN(3) == 0 {
			e += " " + r.of("q", "r", "*", "q.>", "q.*")
		}
		list = append(list, strconv.Quote(e))
	}
	if list == nil {
		return ""
	}
	return fmt.Sprintf("%s: [%s], ", name, strings.Join(list, ", "))
}

// permissions are those of a user, or of an account's users.
func (r chance) permissions() string {
	text := fmt.Sprintf("{publish: {%s%s}, subscribe: {%s%s}", r.entries("allow", false), r.entries("deny", false), r.entries("allow", true), r.entries("deny", true))
	if r.IntN(5) == 0 {
		text += ", allow_responses: true"
	}
	return text + "}"
}

// TestMayAgreesWithWhatIsDelivered: what the verb says of users with permissions that nobody has chosen is what happens when they try:
// a message that may be published arrives at somebody who takes all, a subscription that may be made gets what is published,
// but for what is said to be held back from it, and the others get an error and nothing.
func TestMayAgreesWithWhatIsDelivered(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	r := chance{rand.New(rand.NewPCG(seed, 0))}
	const users = 12
	socket := filepath.Join(t.TempDir(), "control.sock")
	var config strings.Builder
	fmt.Fprintf(&config, "control_socket: %q\naccounts {\n", socket)
	for account := range 2 {
		fmt.Fprintf(&config, "  A%d {\n    default_permissions: %s\n    users [\n      {user: all%d, password: p, permissions: {publish: \">\", subscribe: \">\"}}\n", account, r.permissions(), account)
		for n := account; n < users; n += 2 {
			own := ""
			if n >= 4 { // the others have their account's
				own = ", permissions: " + r.permissions()
			}
			fmt.Fprintf(&config, "      {user: u%d, password: p%s}\n", n, own)
		}
		config.WriteString("    ]\n  }\n")
	}
	config.WriteString("}\n")
	s := brokertest.Start(t, brokertest.Options{Config: config.String()})
	ask := func(q control.MayQuery) control.Verdict {
		t.Helper()
		req, err := control.Ask(control.VerbMay, q)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		resp, err := control.Client{Path: socket}.Do(ctx, req)
		if err != nil || !resp.OK {
			t.Fatalf("%+v: %v %s", q, err, resp.Error)
		}
		var answer control.May
		if err := json.Unmarshal(resp.Answer, &answer); err != nil || !answer.Known || len(answer.Verdicts) != 1 {
			t.Fatalf("%+v: %v %s", q, err, resp.Answer)
		}
		return answer.Verdicts[0]
	}
	open := func(user string) *brokertest.Conn {
		c := s.Open(t, fmt.Sprintf(`{"verbose":false,"pedantic":false,"user":%q,"pass":"p"}`, user))
		c.Sync()
		return c
	}
	var all [2]*brokertest.Conn
	for account := range all {
		all[account] = open(fmt.Sprint("all", account))
	}
	for n := range users {
		a := attempt{t: t, user: fmt.Sprint("u", n), ask: ask, from: all[n%2]}
		a.conn = open(a.user)
		a.publishes()
		for range 6 {
			a.subscribes(r.pattern(), r.queue())
		}
		a.conn.Net().Close()
		if t.Failed() {
			break
		}
	}
	if t.Failed() {
		t.Logf("to repeat it: SEED=%d; the configuration:\n%s", seed, config.String())
	}
}

// attempt is what one user tries, beside somebody in its account who may do everything.
type attempt struct {
	t          *testing.T
	user       string
	ask        func(control.MayQuery) control.Verdict
	conn, from *brokertest.Conn
	sids       int
}

var refusal = regexp.MustCompile(`^-ERR 'Permissions Violation for \w+ to "([^"]+)"`)

// delivered are the subjects of the messages among frames, sorted, and those of errors.
func delivered(frames []string) (subjects, refused []string) {
	for _, f := range frames {
		if words := strings.Fields(f); strings.HasPrefix(f, "MSG ") {
			subjects = append(subjects, words[1])
		} else if m := refusal.FindStringSubmatch(f); m != nil {
			refused = append(refused, m[1])
		}
	}
	slices.Sort(subjects)
	return subjects, refused
}

// publishes tries all subjects.
func (a *attempt) publishes() {
	a.t.Helper()
	a.sids++
	a.from.Send(fmt.Sprintf("SUB > %d\r\n", a.sids))
	a.from.Sync()
	verdicts := map[string]control.Verdict{}
	for _, subj := range literalSubjects {
		verdicts[subj] = a.ask(control.MayQuery{User: a.user, Action: control.Publish, Subject: subj})
		a.conn.Send("PUB " + subj + " 0\r\n\r\n")
	}
	_, refused := delivered(a.conn.Sync())
	got, _ := delivered(a.from.Sync())
	for subj, v := range verdicts {
		if slices.Contains(refused, subj) == v.May || slices.Contains(got, subj) != v.May {
			a.t.Errorf("%s publishes to %s: refused %q, arrived %q; the verb says %+v", a.user, subj, refused, got, v)
		}
	}
	a.from.Send(fmt.Sprintf("UNSUB %d\r\n", a.sids))
	a.from.Sync()
}

// subscribes tries a subscription, and publishes to all subjects.
func (a *attempt) subscribes(pattern, queue string) {
	a.t.Helper()
	v := a.ask(control.MayQuery{User: a.user, Action: control.Subscribe, Subject: pattern, Queue: queue})
	a.sids++
	a.conn.Send(fmt.Sprintf("SUB %s %s %d\r\n", pattern, queue, a.sids))
	_, refused := delivered(a.conn.Sync())
	var want []string
	for _, subj := range literalSubjects {
		a.from.Send("PUB " + subj + " 0\r\n\r\n")
		named := func(e string) bool {
			e, _, _ = strings.Cut(e, " ")
			return subject.Matches(e, subj)
		}
		kept := slices.ContainsFunc(v.Held, named) || v.Only != nil && !slices.ContainsFunc(v.Only, named)
		if v.May && subject.Matches(pattern, subj) && !kept {
			want = append(want, subj)
		}
	}
	a.from.Sync()
	got, _ := delivered(a.conn.Sync())
	slices.Sort(want)
	if (refused == nil) != v.May || !slices.Equal(got, want) {
		a.t.Errorf("%s subscribes to %s %s: refused %q, delivered %q, want %q; the verb says %+v", a.user, pattern, queue, refused, got, want, v)
	}
	a.conn.Send(fmt.Sprintf("UNSUB %d\r\n", a.sids))
	a.conn.Sync()
}
