package logging

import (
	"strconv"
	"strings"
	"time"
)

// syslogSeverity maps levels to the severities of RFC 5424, table 2. Info is "notice", as nats-server has it; Trace is
// "debug" with Debug, and not "notice", so that a trace does not flood files that leave debug lines out.
var syslogSeverity = [numLevels]int{7, 7, 5, 4, 3, 2}

// syslogMax cuts a message: receivers take 8 KiB at the least by default, and cut or split what is longer.
const syslogMax = 8 << 10

// syslogFormat renders one message without framing.
type syslogFormat interface {
	appendMessage(b []byte, r *record) []byte
}

func syslogPriority(r *record) int { return facilityDaemon<<3 | syslogSeverity[r.weight()] }

func appendPriority(b []byte, r *record) []byte {
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(syslogPriority(r)), 10)
	return append(b, '>')
}

// rfc5424 is the current format: "<PRI>1 TIME HOST APP PID MSGID [structured data] message".
type rfc5424 struct {
	host, app, pid string
	version        string
	utc            bool
}

func newRFC5424(o Options) rfc5424 {
	return rfc5424{
		host: printable(o.seams.hostname, 255), app: printable(o.Identifier, 48),
		pid: strconv.Itoa(o.seams.pid), version: o.Version, utc: o.UTC,
	}
}

// fieldsElement is the SD-ID of our fields. Its number is the one RFC 5612 sets aside, since the name needs one.
const fieldsElement = "nats@32473"

func (f rfc5424) appendMessage(b []byte, r *record) []byte {
	b = appendPriority(b, r)
	b = append(b, "1 "...)
	at := r.time
	if f.utc {
		at = at.UTC()
	}
	b = at.AppendFormat(b, jsonTime)
	for _, part := range [...]string{f.host, f.app, f.pid, printable(r.id.Name(), 32)} {
		b = append(b, ' ')
		b = append(b, part...)
	}
	b = append(b, ` [origin software="nats-broker"`...)
	if f.version != "" {
		b = appendParam(b, "swVersion", f.version)
	}
	b = append(b, "]["+fieldsElement...)
	b = appendParam(b, "subsystem", r.subsystem)
	for _, field := range r.fields {
		if field.absent() {
			continue
		}
		b = appendParam(b, paramName(field.key), field.Value())
		if no, ok := field.errno(); ok {
			b = appendParam(b, "errno", strconv.Itoa(int(no)))
		}
	}
	b = append(b, "] "...)
	return appendMessage(b, r.message)
}

// paramName shortens a journal field name to what it says inside our element: NATS_CLIENT_ID is client_id.
func paramName(key string) string {
	return printable(strings.ToLower(strings.TrimPrefix(key, "NATS_")), 32)
}

// appendParam writes ` name="value"` with the three characters escaped that RFC 5424, section 6.3.3, names.
func appendParam(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, `="`...)
	value = strings.ToValidUTF8(value, "\ufffd")
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' || c == ']' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return append(b, '"')
}

// printable makes a header field of s: printable ASCII without the characters that structured data uses, at most n
// bytes; "-" when nothing is left.
func printable(s string, n int) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == '=' || r == ']' || r == '"' {
			return -1
		}
		return r
	}, s)
	if clean == "" {
		return "-"
	}
	return clean[:min(n, len(clean))]
}

// rfc3164 is the BSD format: "<PRI>Mmm dd hh:mm:ss HOST TAG[PID]: message". The local daemon expects it without HOST.
type rfc3164 struct {
	host, tag string // host empty: local
	pid       int
	location  *time.Location
	utc       bool
}

func newRFC3164(o Options, local bool) rfc3164 {
	f := rfc3164{tag: printable(o.Identifier, 32), pid: o.seams.pid, location: o.seams.location, utc: o.UTC}
	if !local {
		f.host, _, _ = strings.Cut(printable(o.seams.hostname, 255), ".")
	}
	return f
}

func (f rfc3164) appendMessage(b []byte, r *record) []byte {
	b = appendPriority(b, r)
	b = textFormat{utc: f.utc, location: f.location}.stamp(r.time).AppendFormat(b, time.Stamp+" ")
	if f.host != "" {
		b = append(append(b, f.host...), ' ')
	}
	b = append(b, f.tag...)
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(f.pid), 10)
	b = append(b, "]: "...)
	// The format has no way to carry several lines, and a newline would begin a new message.
	from := len(b)
	b = appendMessage(b, r.message)
	for i := from; i < len(b); i++ {
		if b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

// cutMessage shortens a message to syslogMax bytes, at a character's start.
func cutMessage(b []byte) []byte {
	if len(b) <= syslogMax {
		return b
	}
	n := syslogMax
	for n > 0 && b[n]&0xc0 == 0x80 {
		n--
	}
	return b[:n]
}
