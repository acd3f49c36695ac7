package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// roundTripCheck is the name of the check that a client's message makes.
const roundTripCheck = "roundtrip"

// The exit statuses of checks are those of Nagios plugins.
const (
	nagiosOK = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

// checkFlags are what checks are to be made, and how they are told.
type checkFlags struct {
	control.ChecksQuery
	all, nagios, asJSON bool
	only                string
}

func (f *checkFlags) define(fs *flag.FlagSet) {
	fs.BoolVar(&f.all, "checks", false, "")
	fs.StringVar(&f.only, "check", "", "")
	fs.BoolVar(&f.nagios, "nagios", false, "")
	fs.BoolVar(&f.asJSON, "json", false, "")
	fs.IntVar(&f.Peers, "peers", 0, "")
	fs.IntVar(&f.CertWarn, "cert-warn", 30, "")
	fs.IntVar(&f.CertCritical, "cert-critical", 7, "")
	fs.IntVar(&f.LimitWarn, "limit-warn", 80, "")
	fs.IntVar(&f.LimitCritical, "limit-critical", 95, "")
}

// wanted reports whether checks are asked for.
func (f *checkFlags) wanted() bool { return f.all || f.nagios || f.asJSON || f.only != "" }

// wantsChecks is wanted for a command line that makes no sense.
func wantsChecks(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return strings.HasPrefix(arg, "-") && slices.Contains([]string{"checks", "check", "nagios", "json"}, name)
	})
}

// checkNames are all checks there are, in their order.
func checkNames() []string { return append(control.HealthChecks(), roundTripCheck) }

// names are those that are to be made; nil: one is not known.
func (f *checkFlags) names() (list []string, err error) {
	if f.only == "" {
		return checkNames(), nil
	}
	for name := range strings.SplitSeq(f.only, ",") {
		if !slices.Contains(checkNames(), name) {
			return nil, fmt.Errorf("there is no check %q, but %s", name, strings.Join(checkNames(), ", "))
		}
		list = append(list, name)
	}
	return list, nil
}

// healthReport is what checks have found.
type healthReport struct {
	Status string                `json:"status"`
	Checks []control.HealthCheck `json:"checks"`
}

// runChecks makes checks and tells of them.
func runChecks(t *talk, f *checkFlags, via healthFlags, stdout io.Writer) int {
	names, err := f.names()
	if err == nil && (f.CertCritical > f.CertWarn || f.LimitWarn > f.LimitCritical || f.LimitCritical <= 0 || f.Peers < 0) {
		err = errors.New("the limits do not fit together: a warning comes before what is critical")
	}
	if err != nil {
		misused(t.stderr, "health", err.Error())
		return nagiosUnknown
	}
	r := healthReport{Status: control.CheckOK, Checks: []control.HealthCheck{}}
	for _, c := range t.makeChecks(f, via, names) {
		if slices.Contains(names, c.Name) || c.Name == "broker" {
			r.Checks = append(r.Checks, c)
			r.Status = worse(r.Status, c.Status)
		}
	}
	switch {
	case f.asJSON:
		printJSON(stdout, r)
	case f.nagios:
		printNagios(stdout, &r)
	default:
		printChecks(stdout, &r)
	}
	return slices.Index([]string{control.CheckOK, control.CheckWarning, control.CheckCritical, control.CheckUnknown}, r.Status)
}

// worse is the state of two checks together.
func worse(a, b string) string {
	order := []string{control.CheckOK, control.CheckUnknown, control.CheckWarning, control.CheckCritical}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// makeChecks asks the broker, and sends a message through it. A broker that does not run is a check too.
func (t *talk) makeChecks(f *checkFlags, via healthFlags, names []string) []control.HealthCheck {
	checks, err := t.askChecks(f)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return []control.HealthCheck{{Name: "broker", Status: control.CheckCritical, Detail: err.Error()}}
	case err != nil:
		return []control.HealthCheck{{Name: "broker", Status: control.CheckUnknown, Detail: err.Error()}}
	}
	if slices.Contains(names, roundTripCheck) {
		checks = append(checks, t.checkRoundTrip(via))
	}
	return checks
}

func (t *talk) askChecks(f *checkFlags) (checks []control.HealthCheck, err error) {
	req, err := control.Ask(control.VerbChecks, f.ChecksQuery)
	if err != nil {
		return nil, err
	}
	resp, err := t.do(req)
	if err != nil {
		return nil, err
	}
	return checks, json.Unmarshal(resp.Answer, &checks)
}

// do is ask without a word to the user.
func (t *talk) do(req control.Request) (control.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	resp, err := control.Client{Path: t.path()}.Do(ctx, req)
	if err == nil && !resp.OK {
		err = errors.New(resp.Error)
	}
	return resp, err
}

// checkRoundTrip is the health check without checks.
func (t *talk) checkRoundTrip(via healthFlags) control.HealthCheck {
	c := control.HealthCheck{Name: roundTripCheck, Status: control.CheckCritical}
	target := &control.Health{Addrs: []string{via.server}}
	if via.server == "" {
		resp, err := t.do(control.Request{Verb: control.VerbHealth})
		if err != nil {
			c.Detail = "clients are not served: " + err.Error()
			return c
		}
		target = resp.Health
	}
	took, err := roundTrip(target, via, t.timeout)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	c.Status, c.Detail = control.CheckOK, "a message came back in "+took.Round(time.Microsecond).String()
	c.Figures = []control.Figure{{Name: "roundtrip", Value: took.Seconds(), Unit: "s"}}
	return c
}

func printChecks(w io.Writer, r *healthReport) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.Name, strings.ToUpper(c.Status), printable(c.Detail))
	}
	tw.Flush()
}

// printNagios is the output of a plugin: a line for people, the figures behind a bar, then a line for each check.
// https://nagios-plugins.org/doc/guidelines.html
func printNagios(w io.Writer, r *healthReport) {
	bar := strings.NewReplacer("|", "/", "\n", " ") // the bar begins the figures
	var ill, figures []string
	for _, c := range r.Checks {
		if c.Status == r.Status && r.Status != control.CheckOK {
			ill = append(ill, c.Name+": "+bar.Replace(c.Detail))
		}
		for _, n := range c.Figures {
			figures = append(figures, fmt.Sprintf("%s=%s%s", n.Name, strconv.FormatFloat(n.Value, 'f', -1, 64), n.Unit))
		}
	}
	text := fmt.Sprintf("%d checks", len(r.Checks))
	if len(ill) > 0 {
		text = strings.Join(ill, "; ")
	}
	fmt.Fprintf(w, "NATS-BROKER %s - %s", strings.ToUpper(r.Status), printable(text))
	if len(figures) > 0 {
		fmt.Fprintf(w, " | %s", strings.Join(figures, " "))
	}
	fmt.Fprintln(w)
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%s %s: %s\n", strings.ToUpper(c.Status), c.Name, printable(bar.Replace(c.Detail)))
	}
}
