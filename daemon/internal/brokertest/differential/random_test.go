package differential

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestRandomScripts plays conversations that nobody thought of: four
// connections that subscribe, unsubscribe at once or after some messages, join
// queue groups and publish, at random, over few subjects so that much of it
// meets. What all of them received after every step has to be the same from
// both servers. A failure names its seed; BROKERTEST_SEED plays one again, and
// BROKERTEST_SEEDS plays so many.
func TestRandomScripts(t *testing.T) {
	first, count := uint64(1), 8
	if s := os.Getenv("BROKERTEST_SEED"); s != "" {
		first, count = number(t, s), 1
	}
	if s := os.Getenv("BROKERTEST_SEEDS"); s != "" {
		count = int(number(t, s))
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			t.Parallel()
			script, err := brokertest.ParseScript(fmt.Sprint("seed-", seed), newTalk(seed).text(150))
			if err != nil {
				t.Fatal(err)
			}
			want := brokertest.Play(t, script, brokertest.PlayOptions{Binary: brokertest.NATSServer(t)})
			got := brokertest.Play(t, script, brokertest.PlayOptions{})
			if diff := difference(want, got); diff != "" {
				t.Errorf("(- nats-server, + nats-broker)\n%s", diff)
			}
			if n := strings.Count(want, "MSG "); n < 50 {
				t.Errorf("only %d deliveries: this script says little", n)
			}
		})
	}
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// talk makes a random script.
type talk struct {
	rnd  *rand.Rand
	out  strings.Builder
	sids map[string][]string // connection: sids that may be subscribed
	next int
}

var talkers = []string{"A", "B", "C", "D"}

func newTalk(seed uint64) *talk {
	return &talk{rnd: rand.New(rand.NewPCG(seed, 0)), sids: map[string][]string{}}
}

func (k *talk) text(steps int) string {
	for i, c := range talkers {
		// A hears itself not, B has no headers. Nobody asks for 503: which of
		// several subscriptions on the reply subject gets it is chance.
		options := []string{`"headers":true,"echo":false`, `"headers":false`, `"headers":true`, `"headers":true`}[i]
		k.say("%s open\n%s > CONNECT {\"verbose\":false,%s}", c, c, options)
		k.say("%s sync", c)
	}
	for range steps {
		c := talkers[k.rnd.IntN(len(talkers))]
		switch p := k.rnd.IntN(20); {
		case p < 5:
			k.subscribe(c)
		case p < 7:
			k.unsubscribe(c)
		default:
			k.publish(c)
		}
		// first the one who spoke: behind its PONG the others have what it sent
		k.say("%s wait\n%s sync", c, strings.Join(talkers, ","))
	}
	return k.out.String()
}

func (k *talk) say(format string, args ...any) { fmt.Fprintf(&k.out, format+"\n", args...) }

// subject returns a random subject of up to three tokens.
func (k *talk) subject(wild bool) string {
	tokens := []string{"a", "b", "c"}
	if wild {
		tokens = append(tokens, "*", "*")
	}
	var s []string
	for range 1 + k.rnd.IntN(3) {
		s = append(s, tokens[k.rnd.IntN(len(tokens))])
	}
	if wild && k.rnd.IntN(4) == 0 {
		s[len(s)-1] = ">"
	}
	return strings.Join(s, ".")
}

// subscribe adds a plain subscription under a sid of its own, sometimes with
// an automatic end, or a member of a queue group. Members of one group have
// one sid on all connections: whoever is chosen, what is received is the same.
func (k *talk) subscribe(c string) {
	k.next++
	if k.rnd.IntN(3) == 0 {
		subject, group := k.subject(true), []string{"red", "blue"}[k.rnd.IntN(2)]
		sid := group + "-" + strconv.Itoa(k.next)
		for _, o := range []string{"C", "D"} { // A does not hear itself, B has no headers: it would matter who is chosen
			if k.rnd.IntN(2) == 0 {
				k.say("%s > SUB %s %s%d %s\n%s sync", o, subject, group, k.next, sid, o)
				k.sids[o] = append(k.sids[o], sid)
			}
		}
		return
	}
	sid := strings.ToLower(c) + strconv.Itoa(k.next)
	k.say("%s > SUB %s %s", c, k.subject(true), sid)
	k.sids[c] = append(k.sids[c], sid)
	if k.rnd.IntN(4) == 0 {
		k.say("%s > UNSUB %s %d", c, sid, 1+k.rnd.IntN(4))
	}
}

func (k *talk) unsubscribe(c string) {
	if len(k.sids[c]) == 0 {
		return
	}
	i := k.rnd.IntN(len(k.sids[c]))
	k.say("%s > UNSUB %s", c, k.sids[c][i])
	k.sids[c] = slices.Delete(k.sids[c], i, i+1)
}

func (k *talk) publish(c string) {
	k.next++
	reply := ""
	if k.rnd.IntN(3) == 0 {
		reply = " " + k.subject(false)
	}
	body := "m" + strconv.Itoa(k.next)
	if c != "B" && k.rnd.IntN(3) == 0 {
		k.say(`%s > HPUB %s%s 12 %d\r\nNATS/1.0\r\n\r\n%s`, c, k.subject(false), reply, 12+len(body), body)
		return
	}
	k.say(`%s > PUB %s%s %d\r\n%s`, c, k.subject(false), reply, len(body), body)
}
