package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// An Invocation is a command line, understood: what the daemon is to do, and the layer that the flags are.
type Invocation struct {
	// ConfigFile is -c; empty: none.
	ConfigFile string
	// Check is -t: look at the configuration and exit.
	Check bool
	// CheckReload is --test_reload: with Check, a file that a reload should be able to go over to; empty: none.
	CheckReload string
	// Signal is the argument of -sl, "reload" or "reload=PID"; empty: none.
	Signal string
	// Help, Version and TLSHelp ask for a text and nothing else.
	Help, Version, TLSHelp bool

	layer settings
	// noTLS: -tls=false takes TLS away. flagTLS: the certificate of the flags replaces the whole block's.
	noTLS, flagTLS bool
	// problems are values of flags that only a look at several of them finds.
	problems confparse.Errors
}

// A UsageError is a command line that cannot be understood. nats-server exits with status 2 on it.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *UsageError) Unwrap() error { return e.Err }

// A CommandError is a word that is no command. nats-server exits with status 1 on it.
type CommandError struct{ Command string }

func (e *CommandError) Error() string { return fmt.Sprintf("unrecognized command: %q", e.Command) }

// A given is one flag as it was given.
type given struct {
	spec  *Flag
	name  string
	value string
}

// ParseArgs understands a command line, without the name of the program. The flags are nats-server's: one dash or two,
// "-flag value" or "-flag=value". An error is a [*UsageError] for flags that do not exist or whose values have the wrong
// form, and a [*CommandError] for a word that is none.
func ParseArgs(args []string) (*Invocation, error) {
	var seen []given
	fs := flag.NewFlagSet("nats-broker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	for i := range Flags {
		for _, name := range Flags[i].Names {
			fs.Var(&collector{spec: &Flags[i], name: name, into: &seen}, name, Flags[i].Doc)
		}
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return &Invocation{Help: true}, nil
		}
		return nil, &UsageError{suggestFlag(err)}
	}
	inv := &Invocation{}
	switch word := strings.ToLower(fs.Arg(0)); word {
	case "":
	case "version":
		inv.Version = true
	case "help":
		inv.Help = true
	default:
		return nil, &CommandError{fs.Arg(0)}
	}
	// The switches that stand for several are applied last, as in nats-server: -V=false -DV traces.
	for _, late := range []bool{false, true} {
		for _, g := range seen {
			if g.spec.late == late {
				inv.apply(g)
			}
		}
	}
	inv.together(seen)
	return inv, nil
}

// suggestFlag adds the nearest flag to the error of one that does not exist.
func suggestFlag(err error) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return err
	}
	var names []string
	for _, f := range Flags {
		for _, n := range f.Names {
			if len(n) > 3 {
				names = append(names, n)
			}
		}
	}
	if near := closest(name, names); near != "" {
		return fmt.Errorf("%w (did you mean --%s?)", err, near)
	}
	return err
}

// A collector is a flag.Value that writes down what is given, checked for its form.
type collector struct {
	spec *Flag
	name string
	into *[]given
}

func (c *collector) String() string   { return "" }
func (c *collector) IsBoolFlag() bool { return c.spec != nil && c.spec.Arg == "" }

func (c *collector) Set(s string) error {
	switch {
	case c.spec.word != "":
		if _, err := strconv.ParseBool(s); err != nil && !strings.EqualFold(s, c.spec.word) {
			return fmt.Errorf("expected true, false, or %s: %w", c.spec.word, err)
		}
	case c.spec.Arg == "":
		if _, err := strconv.ParseBool(s); err != nil {
			return errors.New("parse error")
		}
	case c.spec.number:
		if _, err := strconv.ParseInt(s, 0, 64); err != nil {
			if errors.Is(err, strconv.ErrRange) {
				return errors.New("value out of range")
			}
			return errors.New("parse error")
		}
	}
	*c.into = append(*c.into, given{c.spec, c.name, s})
	return nil
}

// value makes the value of a flag, which knows that it comes from that flag.
func (g given) asValue() *confparse.Value {
	dashes := "--"
	if len(g.name) <= 3 && g.name != "net" && g.name != "log" && g.name != "pid" && g.name != "tls" {
		dashes = "-"
	}
	src := confparse.NewSource("flag "+dashes+g.name, LayerFlags, g.value)
	switch {
	case g.spec.word != "" && strings.EqualFold(g.value, g.spec.word):
		return confparse.NewString(src.All(), g.value)
	case g.spec.Arg == "":
		on, _ := strconv.ParseBool(g.value)
		return confparse.NewBool(src.All(), on)
	case g.spec.number:
		n, _ := strconv.ParseInt(g.value, 0, 64)
		return confparse.NewInt(src.All(), n)
	default:
		return confparse.NewString(src.All(), g.value)
	}
}

// apply takes one flag over.
func (inv *Invocation) apply(g given) {
	v := g.asValue()
	on := g.spec.Arg == "" && g.value != "" && mustBool(g.value)
	switch g.spec.action {
	case actConfig:
		inv.ConfigFile = g.value
	case actCheck:
		inv.Check = on
	case actTestReload:
		inv.CheckReload = g.value
	case actSignal:
		inv.Signal = g.value
	case actHelp:
		inv.Help = inv.Help || on
	case actVersion:
		inv.Version = inv.Version || on
	case actTLSHelp:
		inv.TLSHelp = on
	case actTLS:
		inv.noTLS, inv.flagTLS = !on, on
	case actCluster:
		inv.cluster(v, g.value)
	case actRoutes:
		inv.routes(v, g.value)
	default:
		if g.spec.unsetIfEmpty() && g.value == "" {
			return
		}
		for _, path := range g.spec.Paths {
			inv.layer.set(path, v)
		}
		if strings.HasPrefix(g.spec.Paths[0], "tls.") && !inv.noTLS {
			inv.flagTLS = true
		}
	}
}

func mustBool(s string) bool { b, _ := strconv.ParseBool(s); return b }

// cluster takes --cluster URL: listen address and, if it has one, the user that routes must present. Empty switches
// clustering off.
func (inv *Invocation) cluster(v *confparse.Value, s string) {
	if s == "" {
		inv.layer.set("cluster.port", confparse.NewInt(v.Span(), 0))
		return
	}
	u, host, port, err := clusterURL(s)
	if err != nil {
		inv.fail(v, "%v", err)
		return
	}
	inv.layer.set("cluster.host", confparse.NewString(v.Span(), host))
	inv.layer.set("cluster.port", confparse.NewInt(v.Span(), int64(port)))
	user, pass := "", ""
	if u.User != nil {
		var ok bool
		user = u.User.Username()
		if pass, ok = u.User.Password(); !ok {
			inv.fail(v, "expected cluster password to be set").Secret = true
			return
		}
	}
	inv.layer.set("cluster.authorization.user", confparse.NewString(v.Span(), user))
	inv.layer.set("cluster.authorization.password", confparse.NewString(v.Span(), pass))
}

func clusterURL(s string) (u *url.URL, host string, port int, err error) {
	random := strings.HasSuffix(s, ":-1")
	if random {
		s = strings.TrimSuffix(s, ":-1") + ":0"
	}
	if u, err = url.Parse(s); err != nil {
		return nil, "", 0, errors.New("the cluster URL must have the form nats://host:port")
	}
	host, p, err := net.SplitHostPort(u.Host)
	if err != nil {
		return nil, "", 0, errors.New("the cluster URL must have the form nats://host:port")
	}
	if port, err = strconv.Atoi(p); err != nil {
		return nil, "", 0, fmt.Errorf("the port of the cluster URL must be a number, found %q", p)
	}
	if random {
		port = -1
	}
	return u, host, port, nil
}

// routes takes --routes: URLs, separated by commas. Empty takes the file's away.
func (inv *Invocation) routes(v *confparse.Value, s string) {
	var items []*confparse.Value
	if s != "" {
		for part := range strings.SplitSeq(s, ",") {
			items = append(items, confparse.NewString(v.Span(), strings.TrimSpace(part)))
		}
	}
	inv.layer.set("cluster.routes", confparse.NewArray(v.Span(), items...))
}

func (inv *Invocation) fail(v *confparse.Value, format string, args ...any) *confparse.Error {
	e := confparse.Errorf(v.Span(), format, args...)
	inv.problems = append(inv.problems, e)
	return e
}

// together looks at what flags mean in combination.
func (inv *Invocation) together(seen []given) {
	if !inv.flagTLS {
		if inv.noTLS {
			inv.dropTLS()
		}
		return
	}
	var place confparse.Span
	for _, g := range seen {
		if strings.HasPrefix(g.name, "tls") {
			place = g.asValue().Span()
		}
	}
	for _, need := range []struct{ path, what string }{
		{"tls.cert_file", "certificate"}, {"tls.key_file", "private key"},
	} {
		if inv.layer.values[need.path] == nil {
			inv.problems = append(inv.problems, confparse.Errorf(place, "TLS server %s must be present and valid (--%s)",
				need.what, map[string]string{"tls.cert_file": "tlscert", "tls.key_file": "tlskey"}[need.path]))
		}
	}
}

// dropTLS forgets the other TLS flags: -tls=false wins.
func (inv *Invocation) dropTLS() {
	for _, path := range []string{"tls.cert_file", "tls.key_file", "tls.ca_file", "tls.verify"} {
		delete(inv.layer.values, path)
	}
	inv.layer.order = keep(inv.layer.order, func(p string) bool { return !strings.HasPrefix(p, "tls.") })
}

func keep(list []string, f func(string) bool) []string {
	var kept []string
	for _, s := range list {
		if f(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// Tree is the layer of the flags.
func (inv *Invocation) Tree() *confparse.Value { return inv.layer.tree() }
