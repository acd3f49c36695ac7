package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// defaultSocket is the control socket of the packaged unit; an instance of
// nats-broker@.service has its own beside it.
const defaultSocket = "/run/nats-broker/control.sock"

// usageFlag is the flag that carries a verb's help; nobody types it.
const usageFlag = "help-text"

// talk is what the verbs that speak to a running daemon have in common: where
// it is, and how long to wait.
type talk struct {
	fs      *flag.FlagSet
	stderr  io.Writer
	socket  string
	inst    string
	timeout time.Duration
}

// newTalk makes the flags of a verb. usage is the text of --help.
func newTalk(name, usage string, timeout time.Duration, stderr io.Writer) *talk {
	t := &talk{fs: flag.NewFlagSet(name, flag.ContinueOnError), stderr: stderr}
	t.fs.SetOutput(io.Discard)
	t.fs.Usage = func() {}
	t.fs.StringVar(&t.socket, "socket", "", "")
	t.fs.StringVar(&t.inst, "instance", "", "")
	t.fs.DurationVar(&t.timeout, "timeout", timeout, "")
	t.fs.String(usageFlag, usage, "")
	return t
}

// commonFlags describes the flags that newTalk makes.
const commonFlags = `    --socket PATH      control socket of the broker (default: $NATS_BROKER_CONTROL_SOCKET,
                       $RUNTIME_DIRECTORY/control.sock, or ` + defaultSocket + `)
    --instance NAME    the broker of nats-broker@NAME.service
    --timeout DURATION how long to wait for the outcome
`

// arguments reads the arguments, at most most of them beside the flags, which it returns; done means that the verb is over
// with that code.
func (t *talk) arguments(args []string, most int, stdout io.Writer) (rest []string, code int, done bool) {
	rest, code, ok := arguments(t.fs, args, most, t.fs.Lookup(usageFlag).Value.String(), stdout, t.stderr)
	return rest, code, !ok
}

// question asks something that has a form of its own and decodes the answer; ok is false when the verb is over with that
// code.
func (t *talk) question(verb string, q, answer any) (code int, ok bool) {
	req, err := control.Ask(verb, q)
	if err != nil {
		fmt.Fprintf(t.stderr, "nats-broker %s: %v\n", t.fs.Name(), err)
		return exitFail, false
	}
	resp, code, ok := t.ask(req, false)
	if !ok {
		return code, false
	}
	err = errors.New(resp.Error)
	if resp.OK {
		err = json.Unmarshal(resp.Answer, answer)
	}
	if err != nil {
		fmt.Fprintf(t.stderr, "nats-broker %s: %v\n", t.fs.Name(), err)
		return exitFail, false
	}
	return exitOK, true
}

// path is the control socket meant.
func (t *talk) path() string {
	switch {
	case t.socket != "":
		return t.socket
	case t.inst != "":
		return filepath.Join("/run", "nats-broker-"+t.inst, "control.sock")
	case os.Getenv("NATS_BROKER_CONTROL_SOCKET") != "":
		return os.Getenv("NATS_BROKER_CONTROL_SOCKET")
	case os.Getenv("RUNTIME_DIRECTORY") != "":
		return filepath.Join(filepath.SplitList(os.Getenv("RUNTIME_DIRECTORY"))[0], "control.sock")
	}
	return defaultSocket
}

// ask sends a request and reports trouble; ok is false when the verb is over
// with that code. A response that is not OK counts as asked and answered.
func (t *talk) ask(req control.Request, wait bool) (resp control.Response, code int, ok bool) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if t.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	client := control.Client{Path: t.path()}
	var err error
	if wait {
		resp, err = client.DoAndWait(ctx, req)
	} else {
		resp, err = client.Do(ctx, req)
	}
	if err == nil {
		return resp, 0, true
	}
	fmt.Fprintf(t.stderr, "nats-broker %s: %v\n", t.fs.Name(), err)
	if errors.Is(err, control.ErrNotRunning) {
		return resp, exitNotRunning, false
	}
	return resp, exitFail, false
}

// refused prints why the daemon said no.
func (t *talk) refused(resp control.Response) int {
	text := resp.Detail
	if text == "" {
		text = resp.Error
	}
	fmt.Fprintf(t.stderr, "nats-broker %s: refused, nothing has changed\n%s\n", t.fs.Name(), text)
	return exitFail
}
