package streams

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// told is a talk that was held, and what both said in the end.
type told struct {
	desk
	name, storage string
	end           [2]string
	unlike        bool // they did not come to say the same, as on a busy machine where a talk waits for what does not come
}

// TestConsumersOutlive holds the talks about deliveries and acks, each in an account of its own, and compares what there is
// again: ours after a hand-over with what it was before, and ours with nats-server after kill -9.
func TestConsumersOutlive(t *testing.T) {
	list := deliveryTalks(t)
	socket := filepath.Join(t.TempDir(), "control.sock")
	var accounts strings.Builder
	for i := range list {
		fmt.Fprintf(&accounts, "  A%d { jetstream: enabled, users [{user: u%d, password: p}] }\n", i, i)
	}
	more := "accounts {\n" + accounts.String() + "}\n"
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, "") + more})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "") + fmt.Sprintf("config_watch: off\ncontrol_socket: %q\n", socket) + more})
	t.Cleanup(func() { verb(t, socket, "stop") })

	all := make([]*told, len(list))
	each := func(f func(i int)) {
		free := make(chan struct{}, consumerDesks)
		var work sync.WaitGroup
		for i := range list {
			free <- struct{}{}
			work.Go(func() {
				defer func() { <-free }()
				f(i)
			})
		}
		work.Wait()
	}
	user := func(i int) nats.Option { return nats.UserInfo(fmt.Sprint("u", i), "p") }
	each(func(i int) {
		x := &told{desk: desk{newPeer(t, theirs, user(i)), newPeer(t, ours, user(i))}, name: list[i].name, storage: storages[i%2]}
		all[i] = x
		x.play(list[i])
	})
	unlike := 0
	for _, x := range all {
		if x.unlike {
			unlike++
			t.Logf("%s/%s is left out", x.name, x.storage)
		}
	}
	if unlike > len(list)/10 {
		t.Errorf("%d of %d talks ended differently", unlike, len(list))
	}

	if code, out := verb(t, socket, "upgrade"); code != 0 {
		t.Fatalf("upgrade exits %d: %s", code, out)
	}
	each(func(i int) {
		got := all[i].ours.holdings()
		if got != all[i].end[1] && got != all[i].theirs.holdings() { // some waits may be over by now, and are with both
			t.Errorf("%s/%s: after a hand-over, beside what was before:\n%s", all[i].name, all[i].storage, changes("before", all[i].end[1], "after", got))
		}
	})

	time.Sleep(time.Second) // nats-server writes the state of consumers some time later
	theirs.Kill()
	killed(t, socket)
	theirs.Restart()
	ours.Restart()
	each(func(i int) {
		x := all[i]
		if x.unlike {
			return
		}
		x.theirs.connect(user(i))
		x.ours.connect(user(i))
		want, got := untimed.ReplaceAllString(x.theirs.holdings(), `$1"<time>"`), x.ours.holdings()
		if want != got {
			t.Errorf("%s/%s: after kill -9:\n%s", x.name, x.storage, changes("nats-server", want, "nats-broker", got))
		}
	})
	t.Logf("%d talks", len(list))
}

// play holds the talk with both until it ends alike. What is said meanwhile is compared by TestConsumers.
func (x *told) play(tk talk) {
	for _, quiet := range quiets {
		n := int(talks.Add(1))
		steps := expand(x.theirs.t, tk, n, x.storage, slower(quiet))
		var both sync.WaitGroup
		for i, p := range []*peer{x.theirs, x.ours} {
			both.Go(func() {
				for _, name := range p.streams() { // of the time before
					_, err := p.nc.Request("$JS.API.STREAM.DELETE."+name, nil, patience)
					p.must(err)
				}
				p.hurry(quiet)
				p.play(talk{name: tk.name, steps: steps}, x.storage, n)
				x.end[i] = p.holdings()
			})
		}
		both.Wait()
		if x.end[0] == x.end[1] {
			return
		}
	}
	x.unlike = true
}

// named consumers of talks are ephemeral; those that are to outlive something must not be.
var ephemeral = regexp.MustCompile(`"config":\{"name":"c"`)

var acked = regexp.MustCompile(`"ack_policy":"(explicit|all)"`)

// deliveryTalks are the talks in which something is delivered.
func deliveryTalks(t *testing.T) (list []talk) {
	for i, tk := range consumerTalks() {
		_, kind, _ := strings.Cut(tk.name, " ")
		for _, k := range []string{"pull ", "ack ", "push ", "group "} {
			if strings.HasPrefix(kind, k) && i%6 == 0 {
				list = append(list, tk)
			}
		}
	}
	for _, f := range []string{"pull", "push"} {
		b, err := os.ReadFile("testdata/consumers/" + f + ".talk")
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range parseTalks(string(b)) {
			tk.name = f + ": " + tk.name
			list = append(list, tk)
		}
	}
	list = slices.DeleteFunc(list, func(tk talk) bool { // one that has no name ends soon, whatever happens
		return slices.ContainsFunc(tk.steps, func(s string) bool { return strings.Contains(s, "CONSUMER.CREATE.S {") })
	})
	for i := range list {
		for j, s := range list[i].steps {
			with := `"config":{"durable_name":"c"`
			if !strings.Contains(s, `"ack_wait"`) && !strings.Contains(s, `"backoff"`) && acked.MatchString(s) {
				with += `,"ack_wait":600000000000` // no wait is over while this test is under way
			}
			list[i].steps[j] = ephemeral.ReplaceAllString(s, with)
		}
	}
	return list
}

// untimed is the time of the last message where that was deleted, as nats-server may tell it after an unclean end.
var untimed = regexp.MustCompile(`("last_seq":[1-9]\d*,"last_ts":)"0001-01-01T00:00:00Z"`)

// verb runs a verb of our binary.
func verb(t *testing.T, socket string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(brokertest.Ours(t), args...)
	cmd.Env = append(os.Environ(), "NATS_BROKER_CONTROL_SOCKET="+socket)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

var pid = regexp.MustCompile(`"pid": ?(\d+)`)

// killed ends the process that serves now with SIGKILL, and returns when it is gone.
func killed(t *testing.T, socket string) {
	t.Helper()
	_, out := verb(t, socket, "status", "--json")
	m := pid.FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(brokertest.Patience); ; time.Sleep(time.Millisecond) { // it is nobody's child here: there is no event
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n))
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(b), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d does not end", n)
		}
	}
}

// changes shows the lines in which two texts differ, without what is alike at their ends.
func changes(is, a, was, b string) string {
	var out strings.Builder
	l, r := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(l), len(r)) {
		var x, y string
		if i < len(l) {
			x = l[i]
		}
		if i < len(r) {
			y = r[i]
		}
		n := 0
		for n < len(x) && n < len(y) && x[n] == y[n] {
			n++
		}
		if x != y {
			n = max(n-40, 0)
			fmt.Fprintf(&out, "%s: …%s\n%s: …%s\n", is, x[n:], was, y[n:])
		}
	}
	return out.String()
}
