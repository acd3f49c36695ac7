package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const statusUsage = `Usage: nats-broker status [options]

Shows how the running broker is: its state, with which configuration it serves,
where it listens, what it carries.

    --json             print everything as JSON
` + commonFlags + `
Exit status: 0 all is well, 1 it serves but not with the configuration on disk
(a reload was refused, or the last good configuration is in effect), or streams
cannot be stored (the disk is full, failed or does not answer), 2 wrong command
line, 3 no broker is running.
`

// runStatus prints what the daemon says about itself.
func runStatus(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("status", statusUsage, 10*time.Second, stderr)
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	resp, code, ok := t.ask(control.Request{Verb: control.VerbStatus}, false)
	if !ok {
		return code
	}
	if !resp.OK {
		return t.refused(resp)
	}
	if *asJSON {
		printJSON(stdout, resp.Status)
	} else {
		printStatus(stdout, resp.Status)
	}
	if len(resp.Status.Problems) > 0 {
		return exitFail
	}
	return exitOK
}

func printStatus(w io.Writer, s *control.Status) {
	fmt.Fprintf(w, "%s: %s\n", s.State, strings.TrimPrefix(s.Text, s.State+"; ")) // a state that is not "running" is in the text
	for _, p := range s.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", p)
	}
	for _, p := range s.Warnings {
		fmt.Fprintf(w, "WARNING: %s\n", p)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "  %s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("process", "%d, version %s, up %s", s.PID, s.Version, time.Since(s.Started).Round(time.Second))
	row("server", "%s (%s)", s.ServerName, s.ServerID)
	for _, l := range s.Listeners {
		inherited := ""
		if l.Inherited {
			inherited = " (from systemd)"
		}
		row(l.Name, "%s%s", l.Addr, inherited)
	}
	if s.Config.File != "" {
		row("configuration", "%s, loaded %s", s.Config.File, s.Config.Loaded.Format(time.DateTime))
		if len(s.Config.Files) > 1 {
			for _, f := range s.Config.Files[1:] {
				row("also read", "%s", f)
			}
		}
		row("watching files", "%s", onOff(s.Config.Watching))
	}
	row("connections", "%d clients, %d routes, %d subscriptions", s.Traffic.Clients, s.Traffic.Routes, s.Traffic.Subscriptions)
	row("messages", "%d in (%.0f/s), %d out (%.0f/s)", s.Traffic.InMsgs, s.Traffic.InMsgsRate, s.Traffic.OutMsgs, s.Traffic.OutMsgsRate)
	if js := s.Streams; js != nil {
		row("streams", "%d with %d messages in %s, %d consumers", js.Streams, js.Messages, size(js.Bytes), js.Consumers)
		row("storage", "%s of %s used, %s free on the disk", size(js.Storage), limit(js.MaxStorage), size(js.Free))
		row("memory storage", "%s of %s used", size(js.Memory), limit(js.MaxMemory))
		if js.Lost > 0 {
			row("lost messages", "%d", js.Lost)
		}
		if js.Waiting > 0 {
			row("waiting for commit", "%d messages", js.Waiting)
		}
		if js.Resting > 0 {
			row("page unreadable", "%d consumers wait", js.Resting)
		}
		if js.Refused > 0 {
			row("refused unseen", "%d messages were not stored, and nobody had asked for an answer", js.Refused)
		}
	}
	row("slow consumers", "%d", s.Traffic.SlowConsumers)
	row("limits", "%d files, %d processors, memory %s", s.Limits.Files, s.Limits.Processors, memory(s.Limits.Memory))
	tw.Flush()
}

func memory(n int64) string {
	if n == 0 {
		return "unlimited"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// size writes a number of bytes with the unit that fits.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func limit(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	return size(uint64(n))
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
