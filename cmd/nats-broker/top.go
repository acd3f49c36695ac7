package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/term"
)

const topUsage = `Usage: nats-broker top [options] [url]

Shows live what the broker does: rates, memory, and the connections that do
most, or the streams. url is the monitoring address, by default that of the broker which runs
here, or else http://127.0.0.1:8222; it may carry a user and password, or name a socket
(unix:///run/nats-broker/monitor.sock, unix://user:password@/path), behind it :/PATH if
http_base_path is set. A nats-server can be watched as well.

    --socket PATH      control socket of the broker to watch
    --instance NAME    watch the broker of nats-broker@NAME.service

    -d, --interval DURATION  time between looks (default 1s)
    -n, --count N            end after N looks (default 0: never)
        --once               look once and end, the same as -n 1
        --sort ORDER         order of the connections: cid, start, subs, pending, msgs_to,
                             msgs_from, bytes_to, bytes_from, last, idle, uptime, rtt
                             (default pending)
        --streams            show streams in place of connections, the largest first
        --account NAME       only the connections or streams of this account
        --rows N             connections or streams shown (default: as many as fit, or 20)
        --cacert FILE        trust these authorities for https
        --cert FILE, --key FILE
                             client certificate for https
    A token is taken from $NATS_BROKER_MONITOR_TOKEN.

Keys: c cid, s subscriptions, p pending, t messages to, f messages from,
T bytes to, F bytes from, i idle, u uptime, l last active, r round trip time;
j goes to streams and back, n and b turn pages, space pauses, q quits.

Exit status: 0 it was ended, 1 the address does not answer, 2 wrong use.
`

// topOrders are what --sort accepts and which key chooses it.
var topOrders = []struct {
	key   byte
	order string
}{
	{'c', "cid"}, {'s', "subs"}, {'p', "pending"}, {'t', "msgs_to"}, {'f', "msgs_from"}, {'T', "bytes_to"}, {'F', "bytes_from"},
	{'i', "idle"}, {'u', "uptime"}, {'l', "last"}, {'r', "rtt"}, {0, "start"},
}

// topOptions are the command line.
type topOptions struct {
	url, account, sort        string // no url: that of the broker meant
	socket, instance          string
	streams                   bool
	interval                  time.Duration
	count, rows               int
	caFile, certFile, keyFile string
}

// runTop is the verb "top".
func runTop(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, code, done := parseTop(args, stdout, stderr)
	if done {
		return code
	}
	if o.url == "" {
		var err error
		if o.url, err = o.monitor(); err != nil {
			fmt.Fprintf(stderr, "nats-broker top: %v\n", err)
			return 1
		}
	}
	client, err := newTopClient(o, os.Getenv("NATS_BROKER_MONITOR_TOKEN"))
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker top: %v\n", err)
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	t := &top{o: o, client: client, out: stdout, offset: 0}
	if restore := t.takeTerminal(stdin, stdout); restore != nil {
		defer restore()
	}
	if err := t.loop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.leaveScreen()
		fmt.Fprintf(stderr, "nats-broker top: %v\n", err)
		return 1
	}
	t.leaveScreen()
	return 0
}

func parseTop(args []string, stdout, stderr io.Writer) (o topOptions, code int, done bool) {
	fs := flag.NewFlagSet("top", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, name := range []string{"d", "interval"} {
		fs.DurationVar(&o.interval, name, time.Second, "")
	}
	for _, name := range []string{"n", "count"} {
		fs.IntVar(&o.count, name, 0, "")
	}
	once := fs.Bool("once", false, "")
	fs.StringVar(&o.sort, "sort", "pending", "")
	fs.StringVar(&o.account, "account", "", "")
	fs.IntVar(&o.rows, "rows", 0, "")
	fs.BoolVar(&o.streams, "streams", false, "")
	fs.StringVar(&o.socket, "socket", "", "")
	fs.StringVar(&o.instance, "instance", "", "")
	fs.StringVar(&o.caFile, "cacert", "", "")
	fs.StringVar(&o.certFile, "cert", "", "")
	fs.StringVar(&o.keyFile, "key", "", "")
	if asked(stdout, fs, topUsage) {
		return o, exitOK, true
	}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, topUsage)
		return o, 0, true
	case err == nil && fs.NArg() > 1:
		err = fmt.Errorf("one address at most, not %d", fs.NArg())
	case err == nil && fs.NArg() == 1 && (o.socket != "" || o.instance != ""):
		err = errors.New("an address, or a broker by --instance or --socket, not both")
	case err == nil && o.interval <= 0:
		err = errors.New("the interval must be above zero")
	case err == nil && o.count < 0:
		err = errors.New("the count must not be below zero")
	case err == nil && !validTopOrder(o.sort):
		err = fmt.Errorf("no such order: %s", o.sort)
	}
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker top: %v\nTry 'nats-broker top --help'.\n", err)
		return o, 2, true
	}
	if *once {
		o.count = 1
	}
	if fs.NArg() == 1 {
		o.url = fs.Arg(0)
	}
	return o, 0, false
}

func validTopOrder(name string) bool {
	return slices.ContainsFunc(topOrders, func(k struct {
		key   byte
		order string
	}) bool {
		return k.order == name
	})
}

// top is a running view.
type top struct {
	o      topOptions
	client *topClient
	out    io.Writer

	keys    <-chan byte // nil: no terminal
	size    func() (width, height int)
	screen  bool // the alternate screen is on
	offset  int
	paused  bool
	last    *topSample // of the last tick: what rates are since
	shown   *topSample
	problem string    // why the server does not answer
	since   time.Time // it does not
}

// takeTerminal puts a terminal into raw mode and reads its keys; nil when
// standard input or output is none. The goroutine it starts ends with the
// process: a read of a terminal cannot be interrupted.
func (t *top) takeTerminal(stdin io.Reader, stdout io.Writer) (restore func()) {
	in, ok := stdin.(*os.File)
	out, ok2 := stdout.(*os.File)
	if !ok || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil
	}
	keys := make(chan byte)
	go func() {
		var b [1]byte
		for {
			if _, err := in.Read(b[:]); err != nil {
				close(keys)
				return
			}
			keys <- b[0]
		}
	}()
	t.keys = keys
	t.size = func() (int, int) {
		w, h, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 80, 24
		}
		return w, h
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // alternate screen, no cursor
	t.screen = true
	return func() { _ = term.Restore(int(in.Fd()), old) }
}

func (t *top) leaveScreen() {
	if t.screen {
		fmt.Fprint(t.out, "\x1b[?25h\x1b[?1049l")
		t.screen = false
	}
}

// loop looks and draws until it is ended. In a terminal a server that does not
// answer any more is waited for: it may be starting again.
func (t *top) loop(ctx context.Context) error {
	first, err := t.client.look(ctx, t.query())
	if err != nil {
		return err
	}
	t.last = first
	t.draw(first)
	tick := time.NewTicker(t.o.interval)
	defer tick.Stop()
	for looks := 0; t.o.count == 0 || looks < t.o.count; {
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-t.keys:
			if !ok || !t.press(key) {
				return nil
			}
			if err := t.look(ctx); err != nil {
				return err
			}
			continue
		case <-tick.C:
		}
		if t.paused {
			continue
		}
		looks++
		if err := t.look(ctx); err != nil {
			return err
		}
		t.last = t.shown
	}
	return nil
}

// look asks, unless it is paused, and draws. Only without a terminal is no answer
// an error.
func (t *top) look(ctx context.Context) error {
	now := t.shown
	if !t.paused {
		var err error
		if now, err = t.client.look(ctx, t.query()); err != nil {
			if !t.screen || ctx.Err() != nil {
				return err
			}
			if t.problem == "" {
				t.since = time.Now()
			}
			t.problem, now = err.Error(), t.shown
		} else {
			t.problem = ""
		}
	}
	t.draw(now)
	return nil
}

// press acts on a key; false ends the view.
func (t *top) press(key byte) bool {
	switch key {
	case 'q', 'Q', 3: // also ^C, which is a key in raw mode
		return false
	case ' ':
		t.paused = !t.paused
	case 'j':
		t.o.streams, t.offset = !t.o.streams, 0
	case 'n':
		t.offset += t.rows()
	case 'b':
		t.offset = max(0, t.offset-t.rows())
	default:
		for _, k := range topOrders {
			if k.key == key && key != 0 {
				t.o.sort, t.offset = k.order, 0
			}
		}
	}
	return true
}

// rows is how many connections are shown.
func (t *top) rows() int {
	switch {
	case t.o.rows > 0:
		return t.o.rows
	case t.size != nil:
		_, h := t.size()
		if t.shown != nil && t.shown.streams != nil {
			h-- // for the line about them
		}
		return max(1, h-topHeaderLines)
	}
	return 20
}

func (t *top) query() topQuery {
	return topQuery{sort: t.o.sort, account: t.o.account, offset: t.offset, limit: t.rows(), streams: t.o.streams}
}
