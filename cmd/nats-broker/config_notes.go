package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
)

// noteTime is how long a check waits for a broker that may have something to say.
const noteTime = 3 * time.Second

// restartNotes asks the broker that serves with a file what of it only a restart would bring. Where none does, or it does
// not answer who asks, there is nothing to note.
func restartNotes(cfg *config.Config, file string) (notes []string) {
	client := control.Client{Path: cfg.Options.Process.ControlSocket}
	if client.Path == "" {
		client.Path = (&talk{inst: daemon.InstanceOf(file)}).path()
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	resp, err := client.Do(ctx, control.Request{Verb: control.VerbStatus})
	if err != nil || resp.Status == nil || !sameFile(resp.Status.Config.File, file) {
		return nil
	}
	resp, err = client.Do(ctx, control.Request{Verb: control.VerbReload, Check: true})
	if err != nil || resp.Reload == nil {
		return nil
	}
	for _, c := range resp.Reload.Changes {
		if c.Class != config.Restart.String() {
			continue
		}
		what := c.Option + ": " + orNone(c.Old) + " -> " + orNone(c.New)
		if c.Old == c.New { // masked
			what = c.Option
		}
		notes = append(notes, what+": the broker that runs takes this up at a restart, and no reload until then")
	}
	return notes
}

func sameFile(a, b string) bool {
	was, errA := os.Stat(a)
	is, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(was, is)
}

func writeNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintln(w, "note: "+n)
	}
}
