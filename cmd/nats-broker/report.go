package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/control"
)

const reportUsage = `Usage: nats-broker report [options] FILE

Writes what somebody needs who shall find out what is wrong: an archive (.tar.gz)
with versions, the effective configuration, status, health, metrics, /connz and
the other figures of the moment, goroutines, the journal of the last hour, the
unit with its sandbox, kernel and limits. MANIFEST.txt in it lists what is there
and what is missing. Secrets of the configuration, and what has the form of one,
are masked in all of it. Where no broker runs, it has what the machine says.
FILE is made anew, for its owner alone; - is standard output.

    --unit NAME        the service's unit (default: that of the process)
    --since DURATION   so much of the journal (default: 1h)
    --no-journal       without it
    --json             print the list of what is in it as JSON
` + commonFlags + `
Exit status: 0 written, 1 it could not be written or the broker refuses, 2 wrong
command line, 3 written, but no broker is running.
`

// fileName is what a file of a report may be called.
var fileName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-]{1,40}\.(txt|json|conf)$`) })

// reportFlags are what goes into a report.
type reportFlags struct {
	unit      string
	since     time.Duration
	noJournal bool
}

// runReport writes a support bundle.
func runReport(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("report", reportUsage, time.Minute, stderr)
	var f reportFlags
	t.fs.StringVar(&f.unit, "unit", "", "")
	t.fs.DurationVar(&f.since, "since", time.Hour, "")
	t.fs.BoolVar(&f.noJournal, "no-journal", false, "")
	asJSON := t.fs.Bool("json", false, "")
	rest, code, done := t.arguments(args, 1, stdout)
	switch {
	case done:
		return code
	case len(rest) != 1:
		return misused(stderr, "report", "name a file")
	case rest[0] == "-" && *asJSON:
		return misused(stderr, "report", "standard output is the archive's: --json needs a file")
	}
	files, code := t.gather(&f)
	if files == nil {
		return code
	}
	if err := writeReport(rest[0], files, stdout); err != nil {
		fmt.Fprintf(stderr, "nats-broker report: %v\n", err)
		return exitFail
	}
	switch {
	case *asJSON:
		for i := range files {
			files[i].Text = ""
		}
		printJSON(stdout, files)
	case rest[0] != "-":
		fmt.Fprintf(stdout, "%s: %d files\n", rest[0], len(files)+1)
		for _, f := range files {
			if f.Missing != "" {
				fmt.Fprintf(stdout, "  without %s: %s\n", f.Name, printable(f.Missing))
			}
		}
	}
	return code
}

// gather asks the broker for its files and the machine for its own. It returns nil when the verb is over with that status.
func (t *talk) gather(f *reportFlags) (files []control.ReportFile, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	client := control.Client{Path: t.path()}
	var refused error
	err := client.Follow(ctx, control.Request{Verb: control.VerbReport}, func(r control.Response) {
		if !r.OK {
			refused = errors.New(r.Error)
		}
	}, func(line []byte) error {
		var part control.ReportFile
		if err := json.Unmarshal(line, &part); err != nil {
			return fmt.Errorf("the answer makes no sense: %w", err)
		}
		if !fileName().MatchString(part.Name) { // it becomes a file's where the archive is unpacked
			return fmt.Errorf("the answer makes no sense: a file %q", part.Name)
		}
		files = append(files, part)
		return nil
	})
	if err == nil {
		err = refused
	}
	mask := func(text string) (string, error) { return maskByBroker(ctx, client, text) }
	pid := 0
	switch {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintf(t.stderr, "nats-broker report: %v: the report has what the machine says\n", err)
		files = append(files, control.ReportFile{Name: "status.json", About: "what nats-broker status says", Missing: err.Error()})
		mask, code = maskByFile(t.inst), exitNotRunning
	case err != nil:
		fmt.Fprintf(t.stderr, "nats-broker report: %v\n", err)
		return nil, exitFail
	default:
		if resp, err := t.do(control.Request{Verb: control.VerbStatus}); err == nil {
			pid = resp.Status.PID
		}
	}
	for _, part := range machineParts(f, pid, t.inst) {
		files = append(files, part.make(ctx, mask))
	}
	return files, code
}

// maskByBroker has the broker mask a text, which knows its secrets, line by line.
func maskByBroker(ctx context.Context, client control.Client, text string) (string, error) {
	var b strings.Builder
	for len(text) > 0 {
		n := min(len(text), control.MaxText)
		if n < len(text) {
			if at := strings.LastIndexByte(text[:n], '\n'); at >= 0 {
				n = at + 1
			}
		}
		req, err := control.Ask(control.VerbMask, control.Text{Text: text[:n]})
		if err != nil {
			return "", err
		}
		resp, err := client.Do(ctx, req)
		if err == nil && !resp.OK {
			err = errors.New(resp.Error)
		}
		var masked control.Text
		if err == nil {
			err = json.Unmarshal(resp.Answer, &masked)
		}
		if err != nil {
			return "", fmt.Errorf("it could not be masked: %w", err)
		}
		b.WriteString(masked.Text)
		text = text[n:]
	}
	return b.String(), nil
}

// maskByFile masks by the configuration on disk, where no broker can be asked.
func maskByFile(instance string) func(string) (string, error) {
	var secrets []string
	s := subject{instance: instance}
	if file, err := s.file(nil); err == nil {
		cfg, _, _ := load(file) // what can be read of one that is bad has secrets too
		if cfg != nil {
			secrets = cfg.Secrets()
		}
	}
	mask := daemon.NewMask(secrets)
	return func(text string) (string, error) { return mask.Text(text), nil }
}

// writeReport writes the archive.
func writeReport(name string, files []control.ReportFile, stdout io.Writer) (err error) {
	out := stdout
	if name != "-" {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			if e := file.Close(); err == nil {
				err = e
			}
			if err != nil {
				os.Remove(name)
			}
		}()
		out = file
	}
	now := time.Now().Truncate(time.Second) // the archive would round it, also up
	top := "nats-broker-report-" + now.UTC().Format("20060102-150405")
	zip := gzip.NewWriter(out)
	tw := tar.NewWriter(zip)
	add := func(name, text string) error {
		if err := tw.WriteHeader(&tar.Header{Name: path.Join(top, name), Mode: 0o600, Size: int64(len(text)), ModTime: now, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := io.WriteString(tw, text)
		return err
	}
	if err := add("MANIFEST.txt", manifest(files, now)); err != nil {
		return err
	}
	for _, f := range files {
		if f.Missing != "" {
			continue
		}
		if err := add(f.Name, f.Text); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// manifest lists what is in a report.
func manifest(files []control.ReportFile, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A report of nats-broker, made %s.\n\n", now.Format(time.RFC3339))
	b.WriteString("Passwords, tokens, seeds, JWTs, keys and user information of URLs of the configuration are masked in\n" +
		"all files, and so is what has their form. Names of users, accounts and subjects, addresses and the\n" +
		"names of streams are in it. Look at it before it is given to somebody else.\n\n")
	for _, f := range files {
		if f.Missing != "" {
			fmt.Fprintf(&b, "%-22s missing: %s\n", f.Name, strings.ReplaceAll(f.Missing, "\n", " "))
			continue
		}
		fmt.Fprintf(&b, "%-22s %s, %d bytes\n", f.Name, f.About, len(f.Text))
	}
	return b.String()
}
