package system_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// nats runs the operators' tool as a user and returns what it writes, and how it ends.
func (n *node) nats(user string, args ...string) string {
	n.t.Helper()
	return <-n.startNATS(user, args...)
}

// startNATS is nats without waiting for the end.
func (n *node) startNATS(user string, args ...string) <-chan string {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	cmd := exec.CommandContext(ctx, brokertest.NATSCLI(n.t), append([]string{"--no-context", "--server", n.server.URL(), "--user", user, "--password", user}, args...)...)
	cmd.Dir = n.t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "XDG_CONFIG_HOME="+cmd.Dir, "NATS_URL=", "NATS_CONTEXT=")
	text := make(chan string, 1)
	go func() { // ends with the command
		defer cancel()
		out, err := cmd.CombinedOutput()
		text <- fmt.Sprintf("%s\n%v", out, err)
	}()
	return text
}

// sameShown has two servers asked by one command, as a user, and compares what is shown. The tool takes what has come until a
// time has passed, and sees its own connections, of which the last may not have been noticed to be gone: it is asked some times
// before that counts.
func sameShown(t *testing.T, ours, theirs *node, user, command string, shown func(string) string) {
	t.Helper()
	for _, timeout := range []string{"2s", "5s", "10s", "20s"} {
		args := func(n *node) []string {
			return append(strings.Fields(strings.ReplaceAll(command, "<id>", n.id)), "--timeout="+timeout)
		}
		one, other := ours.startNATS(user, args(ours)...), theirs.startNATS(user, args(theirs)...)
		got, want := <-one, <-other
		switch {
		case shown(got) == shown(want):
			return
		case timeout == "20s":
			t.Errorf("nats %s: differs:\n%s\nwant\n%s", command, got, want)
		default:
			t.Logf("nats %s: differs, and is asked again:\n%s\nnats-server\n%s", command, got, want)
		}
	}
}

// masks make what two servers show comparable: numbers, times and names that differ
// from run to run.
var masks = []struct {
	what *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`\b[NA][A-Z2-7]{55}\b`), "<id>"},
	{regexp.MustCompile(`\[[A-Za-z0-9]{22}\]`), "<event>"},
	{regexp.MustCompile(`"(data|statsz)":\{.*`), "…"}, // JSON is compared elsewhere
	{regexp.MustCompile(`,\s*"nats_broker": ?("[^"]*"|\{[^}]*\})`), ""},
	{regexp.MustCompile(`_INBOX\.[A-Za-z0-9.]+`), "<inbox>"},
	{regexp.MustCompile(`sha256:[0-9a-f]+`), "<digest>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`), "<time>"},
	{regexp.MustCompile(`-?\b\d[\d,.]*( ?([KMGT]i?)?B\b)`), "<size>"},
	{regexp.MustCompile(`\b\d[\d.]*(ns|µs|ms|s|m|h|d)(\d[\d.]*(ns|µs|ms|s|m|h))*\b`), "<duration>"},
	{regexp.MustCompile(`\b\d[\d,.]*%?`), "<n>"},
	{regexp.MustCompile(`[│─╭╮╰╯├┤┬┴┼▏▎▍▌▋▊▉█\t ]+`), " "},
}

// graph is a line of a drawing.
var graph = regexp.MustCompile(`(?m)^.*[┤┼].*$`)

func masked(text string) string {
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.mask)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestNATSCLI has operators and users give their commands to both servers.
func TestNATSCLI(t *testing.T) {
	ours, theirs := startNode(t, "", accounts), startNode(t, brokertest.NATSServer(t), accounts)
	ours.load()
	theirs.load()
	for _, c := range []struct{ user, args string }{
		{"sys", "server list"},
		{"sys", "server list --json"},
		{"sys", "server info"},
		{"sys", "server info watched"},
		{"sys", "server ping 1"},
		{"sys", "server ping 1 --id --graph"},
		{"sys", "server report accounts"},
		{"sys", "server report connections"},
		{"sys", "server report connections --account A"},
		{"sys", "server report connections --sort in-msgs --top 1"},
		{"sys", "server report connections --state closed --account A"},
		{"sys", "server report cpu"},
		{"sys", "server report mem"},
		{"sys", "server report health"},
		{"sys", "server report routes"},
		{"sys", "server report gateways"},
		{"sys", "server report leafnodes"},
		{"sys", "server report jetstream"},
		{"sys", "server request accounts"},
		{"sys", "server request accounts --account A"},
		{"sys", "server request connections --subscriptions"},
		{"sys", "server request gateways"},
		{"sys", "server request ipqueue"},
		{"sys", "server request jetstream"},
		{"sys", "server request jetstream-health"},
		{"sys", "server request kick 123456 <id>"},
		{"sys", "server request leafnodes"},
		{"sys", "server request profile goroutine"},
		{"sys", "server request raft"},
		{"sys", "server request routes"},
		{"sys", "server request subscriptions --detail"},
		{"sys", "server request variables"},
		{"sys", "server request variables --name watched"},
		{"sys", "server request variables --tags blue"},
		{"sys", "server config reload --force <id>"},
		{"sys", "server account info A"},
		{"sys", "server account info nobody"},
		{"sys", "server check connection"},
		{"sys", "server check server --name watched"},
		{"a", "account info"},
		{"a", "account report connections"},
		{"a", "account report statistics"},
		{"limited", "account info"},
		{"a", "server list"},
		{"a", "server report connections"},
	} {
		sameShown(t, ours, theirs, c.user, c.args, func(text string) string {
			if strings.HasSuffix(c.args, "--graph") { // it shows how long the answer took
				text = graph.ReplaceAllString(text, "")
			}
			if strings.HasPrefix(c.args, "server account info") { // imports in no order
				return sorted(masked(text))
			}
			return masked(text)
		})
	}
}

// TestNATSEvents has the operators' tool show events as they come.
func TestNATSEvents(t *testing.T) {
	var shown []string
	for _, binary := range []string{"", brokertest.NATSServer(t)} {
		n := startNode(t, binary, accounts)
		ctx, cancel := context.WithCancel(context.Background())
		cmd := exec.CommandContext(ctx, brokertest.NATSCLI(t), "--no-context", "--server", n.server.URL(), "--user", "sys", "--password", "sys", "events", "--all")
		home := t.TempDir()
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "NATS_URL=", "NATS_CONTEXT=")
		out, err := cmd.StdoutPipe()
		n.must(err)
		cmd.Stderr = cmd.Stdout
		n.must(cmd.Start())
		var text bytes.Buffer
		until := func(part string) {
			for buf := make([]byte, 4096); !strings.Contains(text.String(), part); {
				k, err := out.Read(buf)
				text.Write(buf[:k])
				if err != nil {
					t.Fatalf("%v, after\n%s", err, text.String())
				}
			}
		}
		stop := time.AfterFunc(brokertest.Patience, cancel)
		until("Listening")
		for end := time.Now().Add(brokertest.Patience); n.interest("$SYS.ACCOUNT.x.CONNECT") == 0; {
			if time.Now().After(end) {
				t.Fatalf("the tool does not listen\n%s", text.String())
			}
		}
		c := n.connect("a", "first")
		until("] Client Connection")
		c.Close()
		until("] Client Disconnection")
		n.connect("b", "last")
		until("Name: last")
		stop.Stop()
		cancel()
		_ = cmd.Wait()
		whole, _, _ := strings.Cut(text.String(), "Name: last")
		lines := slices.DeleteFunc(strings.Split(masked(whole), "\n"), func(line string) bool {
			// Of the connection of nats itself is told before it listens, or after.
			return line == "Account: $SYS" || line == "User: sys" || strings.HasPrefix(line, "Name: NATS CLI Version")
		})
		slices.Sort(lines)
		shown = append(shown, strings.Join(slices.Compact(lines), "\n"))
	}
	if shown[0] != shown[1] {
		t.Errorf("shown is\n%s\nwant\n%s", shown[0], shown[1])
	}
}

// interest asks how many subscribers there are in the system account.
func (n *node) interest(subject string) (count int) {
	n.t.Helper()
	m, err := n.sys.Request("$SYS.DEBUG.SUBSCRIBERS", []byte(subject), brokertest.Patience)
	n.must(err)
	fmt.Sscan(string(m.Data), &count)
	return count
}
