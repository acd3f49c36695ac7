package daemon

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// listenError is a listener that could not be opened, in nats-server's words.
type listenError struct {
	where string
	text  string
	err   error
}

func (e *listenError) Error() string { return e.text }
func (e *listenError) Unwrap() error { return e.err }

// reportStart writes why the start failed.
func (d *Daemon) reportStart(err error) {
	id, fields := logging.NoID, []logging.Field{logging.Err(err)}
	var known *listenError
	var refused *net.OpError
	switch {
	case errors.As(err, &known):
		id, fields = logging.ListenerFailed, append(fields, logging.String(logging.FieldListener, known.where))
	case errors.As(err, &refused) && refused.Op == "listen" && refused.Addr != nil:
		id, fields = logging.ListenerFailed, append(fields, logging.String(logging.FieldListener, refused.Addr.String()))
	}
	if known != nil && errors.Is(err, syscall.EADDRINUSE) {
		if who := neighbour(known.where); who != "" {
			d.log.Error(who)
		}
	}
	d.log.Event(logging.Fatal, id, err.Error(), fields...)
}

// exitInUse ends a start under the packaged unit when another program has an
// address: EX_UNAVAILABLE of sysexits(3). The unit does not try again, so that
// the broker does not lie in wait and take the port, with another
// configuration, the moment that program restarts.
const exitInUse = 69

// startCode is the exit code of a start that failed.
func (d *Daemon) startCode(err error) int {
	if errors.Is(err, syscall.EADDRINUSE) && hasVariable(d.Environ, packagedUnit) && !d.succession.found {
		return exitInUse
	}
	return 1
}

// neighbour asks who has the address that we were to listen on: a NATS server
// says so itself. "" if it does not.
func neighbour(where string) string {
	host, port, err := net.SplitHostPort(where)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	const patience = 500 * time.Millisecond
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), patience)
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReaderSize(conn, 32<<10).ReadSlice('\n')
	text, ok := strings.CutPrefix(string(line), "INFO ")
	var info struct {
		Version string `json:"version"`
	}
	if !ok || json.Unmarshal([]byte(text), &info) != nil {
		return ""
	}
	return "Another NATS server, of version " + shortened(info.Version) + ", has " + where +
		": stop it, or listen elsewhere. nats-broker-migrate(7) tells how to take its place"
}

// shortened is a text of a stranger, fit for a line of the log.
func shortened(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), 40)]
}
