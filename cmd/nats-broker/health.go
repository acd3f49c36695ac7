package main

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// connectFlags describes the flags of healthFlags.
const connectFlags = `    --server URL       connect here instead of asking on the control socket
    --user USER        user to connect as; --password-file FILE holds the password
    --password-file FILE
    --token-file FILE  token to connect with
    --creds FILE       credentials file to connect with
    --nkey FILE        seed file to connect with
    --tlsca FILE       authorities to trust (default: the system's; a broker that
                       was found through its control socket is trusted as it is)
    --tlscert FILE, --tlskey FILE
                       certificate and key to present where clients need one
    --subject SUBJECT  subject to use (default: a new inbox)
`

const healthUsage = `Usage: nats-broker health [options]

Sends a message through the client port and waits for it: the check a health
check wants. Without --server the running broker is asked where it listens, and
where clients need credentials, lets this one connection in for one subject.

` + connectFlags + `    --quiet            print nothing when all is well

With one of these options the broker is asked how it is, in checks with names:
state, listeners, certificates, cluster, leafnodes, clients, configuration, disk
and roundtrip, which is the message.

    --checks           make all checks, a line each
    --check NAMES      make these, separated by commas
    --nagios           the output of a Nagios plugin, with figures
    --json             print the checks as JSON
    --peers N          servers that the cluster has beside this one
    --cert-warn DAYS, --cert-critical DAYS
                       days that a certificate should have left (default: 30, 7)
    --limit-warn PERCENT, --limit-critical PERCENT
                       of a limit or of the storage in use (default: 80, 95)

` + commonFlags + `
Exit status: 0 the message came back in time, 1 it did not, 2 wrong command
line, 3 no broker is running. Of checks, as of a Nagios plugin: 0 all is well,
1 there is a warning, 2 something is critical, or no broker runs, 3 unknown: the
broker could not be asked, or the command line is wrong.
`

// healthFlags are how to connect.
type healthFlags struct {
	server, user, passwordFile, tokenFile, creds, nkey string
	ca, cert, key, subject                             string
	quiet                                              bool
}

// define makes the flags that say how to connect.
func (f *healthFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.server, "server", "", "")
	fs.StringVar(&f.user, "user", "", "")
	fs.StringVar(&f.passwordFile, "password-file", "", "")
	fs.StringVar(&f.tokenFile, "token-file", "", "")
	fs.StringVar(&f.creds, "creds", "", "")
	fs.StringVar(&f.nkey, "nkey", "", "")
	fs.StringVar(&f.ca, "tlsca", "", "")
	fs.StringVar(&f.cert, "tlscert", "", "")
	fs.StringVar(&f.key, "tlskey", "", "")
	fs.StringVar(&f.subject, "subject", "", "")
}

// errPair is told of a certificate without its key, or the other way round.
var errPair = errors.New("--tlscert and --tlskey belong together")

// runHealth makes the round trip.
func runHealth(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("health", healthUsage, 5*time.Second, stderr)
	var f healthFlags
	f.define(t.fs)
	t.fs.BoolVar(&f.quiet, "quiet", false, "")
	var checks checkFlags
	checks.define(t.fs)
	_, code, done := t.arguments(args, 0, stdout)
	if !done && (f.cert == "") != (f.key == "") {
		code, done = misused(stderr, "health", errPair.Error()), true
	}
	switch {
	case done && code == exitUsage && wantsChecks(args):
		return nagiosUnknown
	case done:
		return code
	}
	if checks.wanted() {
		return runChecks(t, &checks, f, stdout)
	}
	target := &control.Health{Addrs: []string{f.server}}
	if f.server == "" {
		resp, code, ok := t.ask(control.Request{Verb: control.VerbHealth}, false)
		if !ok {
			return code
		}
		if !resp.OK {
			fmt.Fprintf(stderr, "nats-broker health: %s\n", resp.Error)
			return exitFail
		}
		target = resp.Health
	}
	took, err := roundTrip(target, f, t.timeout)
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker health: %v\n", err)
		return exitFail
	}
	if !f.quiet {
		fmt.Fprintf(stdout, "healthy: a message made its round trip in %s\n", took.Round(time.Microsecond))
	}
	return exitOK
}

// roundTrip connects, subscribes, publishes and waits for the message.
func roundTrip(target *control.Health, f healthFlags, timeout time.Duration) (time.Duration, error) {
	nc, subject, err := dial(target, f, timeout)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	began := time.Now()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return 0, err
	}
	mark := make([]byte, 16)
	rand.Read(mark)
	word := hex.EncodeToString(mark)
	if err := nc.Publish(subject, []byte(word)); err != nil {
		return 0, err
	}
	for left := timeout; left > 0; left = timeout - time.Since(began) {
		msg, err := sub.NextMsg(left)
		if err != nil {
			if last := nc.LastError(); last != nil {
				err = last
			}
			return 0, fmt.Errorf("the message did not come back: %w", err)
		}
		if string(msg.Data) == word {
			return time.Since(began), nil
		}
	}
	return 0, errors.New("the message did not come back in time")
}

// dial connects, and says on which subject messages may go round.
func dial(target *control.Health, f healthFlags, timeout time.Duration) (nc *nats.Conn, subject string, err error) {
	opts, err := connectOptions(target, f, timeout)
	if err != nil {
		return nil, "", err
	}
	asked := false
	if f.cert == "" {
		opts = append(opts, noteAsked(&asked))
	}
	if nc, err = nats.Connect(serverURL(target), opts...); err != nil {
		if asked && !errors.Is(err, nats.ErrAuthorization) {
			err = fmt.Errorf("%w; clients need a certificate here, give one with --tlscert and --tlskey", err)
		}
		return nil, "", fmt.Errorf("connecting to %s: %w", serverURL(target), err)
	}
	if subject = f.subject; subject == "" {
		subject = target.Subject
	}
	if subject == "" {
		subject = nats.NewInbox()
	}
	return nc, subject, nil
}

func serverURL(target *control.Health) string {
	addr := target.Addrs[0]
	switch {
	case strings.Contains(addr, "://"):
		return addr
	case target.TLS:
		return "tls://" + addr
	}
	return "nats://" + addr
}

// noteAsked has asked set when the server asks for a certificate. What becomes of a
// connection without one depends on who is quicker: the alert that says so, or a write.
func noteAsked(asked *bool) nats.Option {
	return func(o *nats.Options) error {
		if o.TLSConfig == nil {
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		o.TLSConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*asked = true
			return &tls.Certificate{}, nil
		}
		return nil
	}
}

// connectOptions gathers what to present.
func connectOptions(target *control.Health, f healthFlags, timeout time.Duration) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name("nats-broker health"), nats.Timeout(timeout), nats.NoReconnect(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	switch {
	case f.creds != "":
		opts = append(opts, nats.UserCredentials(f.creds))
	case f.nkey != "":
		o, err := nats.NkeyOptionFromSeed(f.nkey)
		if err != nil {
			return nil, err
		}
		opts = append(opts, o)
	case f.tokenFile != "":
		token, err := readSecret(f.tokenFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Token(token))
	case f.user != "":
		password := ""
		if f.passwordFile != "" {
			var err error
			if password, err = readSecret(f.passwordFile); err != nil {
				return nil, err
			}
		}
		opts = append(opts, nats.UserInfo(f.user, password))
	case target.User != "":
		opts = append(opts, nats.UserInfo(target.User, target.Token))
	}
	if f.cert != "" {
		opts = append(opts, nats.ClientCert(f.cert, f.key))
	}
	if target.First {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	switch {
	case f.ca != "":
		opts = append(opts, nats.RootCAs(f.ca))
	case target.TLS:
		// The kernel has vouched for who is behind the control socket, and the
		// address is this machine's: no certificate is made out to that.
		opts = append(opts, nats.Secure(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}))
	}
	return opts, nil
}
