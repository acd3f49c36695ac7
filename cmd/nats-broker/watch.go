package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const watchUsage = `Usage: nats-broker watch [options] SUBJECT

Shows messages as they go through the running broker, in any account, without
anybody noticing but the log, which names who looks. SUBJECT may have wildcards.
Header and payload are shortened; JWTs and seeds in them are masked, and of what
is asked of the server itself ($SYS.REQ.>) they are left out. What comes faster
than it may be shown is counted: the broker waits for nobody who looks. Ctrl-C
ends it.

    --account ACCOUNT  look at this account (default: $G)
    --bytes N          show at most this much of header and payload (default:
                       256, at most 4096)
    --rate N           show at most this many messages a second (default: 100,
                       at most 1000)
    --count N          end after this many messages
    --for DURATION     end after this time (default: 1m, at most 1h)
    --json             print a line of JSON for each message, and one at the end
` + commonFlags + `
Exit status: 0 the end was reached, or Ctrl-C, 1 the broker refuses or has ended
it, 2 wrong command line, 3 no broker is running.
`

// runWatch prints messages until its end.
func runWatch(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("watch", watchUsage, 0, stderr)
	var q control.Watch
	t.fs.StringVar(&q.Account, "account", "", "")
	t.fs.IntVar(&q.Bytes, "bytes", 0, "")
	t.fs.IntVar(&q.Rate, "rate", 0, "")
	t.fs.IntVar(&q.Count, "count", 0, "")
	t.fs.DurationVar(&q.For, "for", 0, "")
	asJSON := t.fs.Bool("json", false, "")
	rest, code, done := t.arguments(args, 1, stdout)
	switch {
	case done:
		return code
	case len(rest) != 1:
		return misused(stderr, "watch", "name a subject")
	}
	q.Subject = rest[0]
	req, err := control.Ask(control.VerbWatch, q)
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker watch: %v\n", err)
		return exitFail
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if t.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	v := &watchView{out: stdout, err: stderr, asJSON: *asJSON}
	err = control.Client{Path: t.path()}.Follow(ctx, req, v.begin, v.line)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintf(stderr, "nats-broker watch: %v\n", err)
		return exitNotRunning
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exitOK
	case err == nil && v.refused == nil && !v.ended:
		err = errors.New("the broker has ended it")
	case err == nil:
		err = v.refused
	}
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker watch: %v\n", err)
		return exitFail
	}
	return exitOK
}

// watchView prints what the broker says.
type watchView struct {
	out, err io.Writer
	asJSON   bool
	refused  error
	ended    bool
}

func (v *watchView) begin(resp control.Response) {
	var w control.Watching
	switch {
	case !resp.OK:
		v.refused = errors.New(resp.Error)
	case json.Unmarshal(resp.Answer, &w) == nil:
		fmt.Fprintf(v.err, "looking at account %s\n", printable(w.Account))
	}
}

func (v *watchView) line(line []byte) error {
	var m control.Watched
	if err := json.Unmarshal(line, &m); err != nil {
		return fmt.Errorf("the answer makes no sense: %w", err)
	}
	v.ended = v.ended || m.End != nil
	if v.asJSON {
		_, err := v.out.Write(line)
		return err
	}
	if m.End != nil {
		_, err := fmt.Fprintf(v.err, "%s: %d messages seen, %d shown, %d missed\n", m.End.Why, m.End.Seen, m.End.Shown, m.End.Missed)
		return err
	}
	_, err := io.WriteString(v.out, watchedText(&m))
	return err
}

// watchedText is a message for a terminal.
func watchedText(m *control.Watched) string {
	var b strings.Builder
	from := m.From
	if m.CID != 0 {
		from += fmt.Sprintf(" %d", m.CID)
	}
	fmt.Fprintf(&b, "%s %s  %s", m.Time.Local().Format("15:04:05.000"), printable(m.Subject), from)
	if m.Reply != "" {
		fmt.Fprintf(&b, ", reply %s", printable(m.Reply))
	}
	fmt.Fprintf(&b, ", %s\n", size(uint64(m.Size)))
	switch {
	case m.Hidden:
		b.WriteString("    (not shown)\n")
		return b.String()
	case m.HeaderSize > 0:
		for i, h := range strings.Split(strings.TrimSpace(m.Header), "\n") {
			if i > 0 { // the first line is NATS/1.0
				fmt.Fprintf(&b, "    %s\n", printable(strings.TrimRight(h, "\r")))
			}
		}
		if len(m.Header) < m.HeaderSize {
			b.WriteString("    …\n")
		}
	}
	if m.Payload == "" {
		return b.String()
	}
	for _, l := range strings.Split(strings.TrimRight(m.Payload, "\n"), "\n") {
		fmt.Fprintf(&b, "    %s\n", printable(strings.ReplaceAll(strings.TrimRight(l, "\r"), "\t", "  ")))
	}
	if shown := len(m.Payload); !m.Binary && shown < m.Size || m.Binary && shown*3/4 < m.Size {
		b.WriteString("    …\n")
	}
	return b.String()
}
