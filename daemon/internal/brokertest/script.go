package brokertest

import (
	"fmt"
	"strconv"
	"strings"
)

// Script is a byte script: what is sent to a server over a few connections,
// and the transcript of what came back. In a file it is one command a line:
//
//	# comment                kept as it stands
//	config max_payload: 10   one line of the server's configuration file
//	flag --user a            arguments of the server
//	A dial                   connect and read nothing
//	A open                   connect and read the INFO away
//	A > PUB foo 2            send, with CRLF added
//	A >> PUB fo              send as it stands
//	A 100 > PING             send so many times
//	A sync                   send PING and record what comes before its PONG
//	A,B sync                 the same for several; their frames are recorded sorted
//	A wait                   the same, but record the frames with those of A's next sync
//	A read 2                 record the next two frames
//	A ping                   record frames up to and with the server's next PING
//	A eof                    record what comes until the server closes
//	A shut                   end the sending side only
//	A close                  close
//	A reset                  close with a TCP reset
//	signal SIGUSR2           send the server a signal
//	reload max_payload: 9    replace the configuration by this line and send SIGHUP
//	log some text            wait until the server has written this text
//	A < MSG foo 1 2\r\nhi    recorded: one frame, server-specific values masked
//
// In text, \r \n \t \\ \xHH stand for bytes and $(ab*20) for "ab" twenty
// times, and (reply) for the reply subject that the connection was last given
// with a request to a service of another account; recorded frames have it in
// place of such subjects. A PING of the server is recorded only where the script waits for
// one, since its moment is the server's own. No command waits for time to
// pass: each waits for what has to arrive, and fails when it does not.
type Script struct {
	Name   string   // file name, for messages
	Config []string // lines of the configuration file
	Flags  []string // further arguments
	steps  []step
}

// step is one line of a script, other than a recorded frame.
type step struct {
	line  int      // number in the file, from 1
	text  string   // the line as it stands
	verb  string   // "" for lines that do nothing (comments, blanks, config, flag)
	conns []string // the connections named
	count int      // of sends or of frames
	data  []byte   // to send
	arg   string   // of signal, reload, log
}

// ParseScript reads the text of a script; name is for messages. Recorded
// frames are dropped: Play makes them anew.
func ParseScript(name, text string) (*Script, error) {
	s := &Script{Name: name}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		st, err := s.parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		if st.verb == "<" {
			continue
		}
		st.line, st.text = i+1, line
		s.steps = append(s.steps, st)
	}
	return s, nil
}

func (s *Script) parseLine(line string) (step, error) {
	head, rest, _ := strings.Cut(line, " ")
	switch head {
	case "", "#":
		return step{}, nil
	case "config":
		s.Config = append(s.Config, rest)
		return step{}, nil
	case "flag":
		s.Flags = append(s.Flags, strings.Fields(rest)...)
		return step{}, nil
	case "signal", "reload", "log":
		return step{verb: head, arg: rest}, nil
	}
	st := step{conns: strings.Split(head, ","), count: 1}
	verb, rest, _ := strings.Cut(rest, " ")
	if n, err := strconv.Atoi(verb); err == nil {
		st.count = n
		verb, rest, _ = strings.Cut(rest, " ")
	}
	st.verb = verb
	switch verb {
	case "<", "dial", "open", "sync", "wait", "ping", "eof", "shut", "close", "reset":
		return st, nil
	case "read":
		n, err := strconv.Atoi(rest)
		st.count = n
		return st, err
	case ">", ">>":
		data, err := unescape(rest)
		if verb == ">" {
			data = append(data, "\r\n"...)
		}
		st.data = data
		return st, err
	}
	return st, fmt.Errorf("unknown command %q", verb)
}

// unescape turns script text into the bytes it stands for.
func unescape(text string) ([]byte, error) {
	var out []byte
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "$("):
			body, rest, ok := strings.Cut(text[2:], ")")
			unit, times, isRun := strings.Cut(body, "*")
			n, err := strconv.Atoi(times)
			if !ok || !isRun || err != nil {
				return nil, fmt.Errorf("want $(text*count) at %q", text)
			}
			out = append(out, strings.Repeat(unit, n)...)
			text = rest
		case text[0] == '\\':
			r, multi, rest, err := strconv.UnquoteChar(text, 0)
			if err != nil {
				return nil, fmt.Errorf("escape at %q: %w", text, err)
			}
			if multi {
				out = append(out, string(r)...)
			} else {
				out = append(out, byte(r))
			}
			text = rest
		default:
			out = append(out, text[0])
			text = text[1:]
		}
	}
	return out, nil
}

// escape is the reverse of unescape for what servers send: one printable line.
func escape(data []byte) string {
	const longRun = 50
	var b strings.Builder
	for i := 0; i < len(data); {
		run := 1
		for i+run < len(data) && data[i+run] == data[i] {
			run++
		}
		c := escapeByte(data[i])
		if run >= longRun {
			fmt.Fprintf(&b, "$(%s*%d)", c, run)
		} else {
			b.WriteString(strings.Repeat(c, run))
		}
		i += run
	}
	return b.String()
}

func escapeByte(c byte) string {
	switch {
	case c == '\r':
		return `\r`
	case c == '\n':
		return `\n`
	case c == '\t':
		return `\t`
	case c == '\\':
		return `\\`
	case c < ' ' || c > '~':
		return fmt.Sprintf(`\x%02x`, c)
	}
	return string(c)
}
