package proto

import (
	"bytes"
	"iter"
	"strconv"
)

// RouteOp is the verb of a frame between two servers of a cluster.
type RouteOp uint8

// The verbs of a route, as nats-server 2.15.3 writes them. The account is left
// out on a connection that serves one account only.
const (
	RouteNone      RouteOp = iota
	RouteSub               // RS+ account subject [queue weight], or RI+ account subject own [queue weight]
	RouteUnsub             // RS- account subject [queue]
	RouteLeafSub           // LS+ origin account subject [queue weight]
	RouteLeafUnsub         // LS- origin account subject [queue]
	RouteAccount           // A+ account: interest may be sent again
	RouteNoAccount         // A- account: nobody here needs it
	RouteMsg               // RMSG account subject [reply | + reply queue… | | queue…] size; see Entry
	RouteHMsg              // HMSG, with the size of the header before the size
	RouteLeafMsg           // LMSG origin account subject …, always with both sizes
	RoutePing
	RoutePong
	RouteInfo
	RouteConnect
	RouteOK
	RouteErr
)

// RouteFrame is one frame of a route. Its slices lie in the buffer that was
// parsed and are valid as long as that is.
type RouteFrame struct {
	Op  RouteOp
	Arg []byte // the line behind the verb, for all but PING, PONG and +OK

	Origin  []byte // LS+, LS-, LMSG
	Account []byte // nil on a connection of one account
	Subject []byte
	Queue   []byte // RS+, RS-, LS+, LS-; nil for none
	Weight  int    // RS+, LS+ with a queue: members, at least 1
	Own     int    // RI+: members that are the account's own; -1 where all are

	Reply  []byte
	queues []byte // the names of the queue groups to be served, blanks between
	Hdr    int    // bytes of header; -1 without
	Size   int    // bytes of header and payload
	Body   []byte // header, if any, and payload, with the final "\r\n"

	// Entry is how the message came into the account on the other server. Between two of
	// ours the verb says it.
	Entry RouteEntry

	// Routing is "account subject" as it stands in the line (or "subject"): what
	// deliveries can be cached by.
	Routing []byte
	// HasQueues is set if the sender chose queue groups for us to serve. Without
	// it only plain subscriptions get the message.
	HasQueues bool
}

// Queues gives the names of the queue groups that are to get the message, one
// member each.
func (f *RouteFrame) Queues() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := f.queues
		for {
			var word []byte
			if word, rest = cutWord(rest); word == nil || !yield(word) {
				return
			}
		}
	}
}

// RouteEntry is how a message came into its account.
type RouteEntry uint8

// The ways of a message into an account. All but the first are ours: nats-server has no
// words for them.
const (
	RoutePublished RouteEntry = iota // RMSG, HMSG: it was published there
	RouteByImport                    // RSVC, HSVC: by an import of a service, without a reply subject
	RouteRequest                     // RREQ, HREQ: the same with a reply subject
	RouteAnswer                      // RANS, HANS: it answers a request of the account to another's service
)

var routeEntries = [...]string{RoutePublished: "MSG ", RouteByImport: "SVC ", RouteRequest: "REQ ", RouteAnswer: "ANS "}

// Lead is what a message without a header begins with, through the blank behind the verb;
// one with a header begins with "H" instead of "R".
func (e RouteEntry) Lead() string { return "R" + routeEntries[e] }

// peerVerb is what a line of another server may begin with.
type peerVerb struct {
	name  string
	op    RouteOp
	arg   bool
	entry RouteEntry
}

var routeVerbs = []peerVerb{
	{"RMSG", RouteMsg, true, 0},
	{"HMSG", RouteHMsg, true, 0},
	{"RREQ", RouteMsg, true, RouteRequest},
	{"HREQ", RouteHMsg, true, RouteRequest},
	{"RANS", RouteMsg, true, RouteAnswer},
	{"HANS", RouteHMsg, true, RouteAnswer},
	{"RSVC", RouteMsg, true, RouteByImport},
	{"HSVC", RouteHMsg, true, RouteByImport},
	{"LMSG", RouteLeafMsg, true, 0},
	{"RS+", RouteSub, true, 0},
	{"RS-", RouteUnsub, true, 0},
	{"RI+", RouteSub, true, 0},
	{"LS+", RouteLeafSub, true, 0},
	{"LS-", RouteLeafUnsub, true, 0},
	{"A+", RouteAccount, true, 0},
	{"A-", RouteNoAccount, true, 0},
	{"PING", RoutePing, false, 0},
	{"PONG", RoutePong, false, 0},
	{"INFO", RouteInfo, true, 0},
	{"CONNECT", RouteConnect, true, 0},
	{"+OK", RouteOK, false, 0},
	{"-ERR", RouteErr, true, 0},
}

// NextRoute parses the frame of a route that buf begins with into f; it reports
// as [Next] does. pinned says that the connection serves one account, so that
// frames do not name it. Lines of subscriptions may be as long as a subject may.
func NextRoute(buf []byte, lim *Limits, pinned bool, f *RouteFrame) (n, need int, err error) {
	return nextOf(routeVerbs, buf, lim, pinned, f)
}

// nextOf is NextRoute for a set of verbs.
func nextOf(verbs []peerVerb, buf []byte, lim *Limits, pinned bool, f *RouteFrame) (n, need int, err error) {
	if len(buf) == 0 {
		return 0, 0, nil
	}
	for i := range verbs {
		v := &verbs[i]
		m := samePrefix(buf, v.name)
		if m < len(v.name) {
			if m == len(buf) {
				return 0, 0, nil
			}
			continue
		}
		*f = RouteFrame{Op: v.op, Hdr: -1, Own: -1, Entry: v.entry}
		if v.arg && m < len(buf) && !blank(buf[m]) {
			return 0, 0, ErrUnknownOp
		}
		eol := bytes.IndexByte(buf[m:], '\n')
		if eol < 0 {
			return 0, 0, overlong(buf[m:], lim)
		}
		end := m + eol
		f.Arg = bytes.Trim(buf[m:end], " \t\r")
		if err := overlong(f.Arg, lim); err != nil {
			return 0, 0, err
		}
		if v.op == RouteSub && v.name == "RI+" {
			f.Own = 0
		}
		if n, need, err = f.parseArg(buf, end+1, lim, pinned); err != nil {
			return 0, 0, err
		}
		return n, need, nil
	}
	return 0, 0, ErrUnknownOp
}

// parseArg reads the line that ends before n, and the payload behind it.
func (f *RouteFrame) parseArg(buf []byte, n int, lim *Limits, pinned bool) (int, int, error) {
	if f.Op < RoutePing && bytes.IndexByte(f.Arg, '\r') >= 0 { // it would stand in a subject or in a name
		return 0, 0, argError("route line parse error", f.Arg)
	}
	switch f.Op {
	case RouteSub, RouteUnsub:
		return n, 0, f.parseInterest(f.Arg, pinned)
	case RouteLeafSub, RouteLeafUnsub:
		var rest []byte
		f.Origin, rest = cutWord(f.Arg)
		return n, 0, f.parseInterest(rest, pinned)
	case RouteAccount, RouteNoAccount:
		var rest []byte
		if f.Account, rest = cutWord(f.Arg); f.Account == nil || len(rest) > 0 {
			return 0, 0, argError("route account parse error", f.Arg)
		}
		return n, 0, nil
	case RouteMsg, RouteHMsg, RouteLeafMsg:
		if err := f.parseMsg(pinned); err != nil {
			return 0, 0, err
		}
		if lim.Payload > 0 && f.Size > lim.Payload {
			return 0, 0, ErrPayload
		}
		end := n + f.Size + 2
		if end > len(buf) {
			return 0, end, badEnd(buf, n+f.Size)
		}
		if buf[end-2] != '\r' || buf[end-1] != '\n' {
			return 0, 0, ErrUnknownOp
		}
		f.Body = buf[n:end]
		return end, 0, nil
	}
	return n, 0, nil
}

func (f *RouteFrame) parseInterest(arg []byte, pinned bool) error {
	rest := arg
	if !pinned {
		f.Account, rest = cutWord(rest)
	}
	f.Subject, rest = cutWord(rest)
	f.Routing = arg[:len(arg)-len(rest)]
	if f.Own == 0 {
		var own []byte
		own, rest = cutWord(rest)
		if f.Own = Size(own); f.Own < 0 {
			return argError("route interest parse error", f.Arg)
		}
	}
	f.Queue, rest = cutWord(rest)
	f.Routing = bytes.TrimRight(f.Routing, " \t")
	if f.Subject == nil || f.Op == RouteLeafSub && f.Origin == nil {
		return argError("route interest parse error", f.Arg)
	}
	plus := f.Op == RouteSub || f.Op == RouteLeafSub
	if f.Queue != nil && plus {
		// nats-server leaves the weight out when it tells interest again after a change of
		// permissions; that counts as one member.
		var weight []byte
		weight, rest = cutWord(rest)
		f.Weight = max(Size(weight), 1)
	}
	if len(rest) > 0 {
		return argError("route interest parse error", f.Arg)
	}
	return nil
}

func (f *RouteFrame) parseMsg(pinned bool) error {
	rest := f.Arg
	if f.Op == RouteLeafMsg {
		f.Origin, rest = cutWord(rest)
	}
	routing := rest
	if !pinned {
		f.Account, rest = cutWord(rest)
	}
	f.Subject, rest = cutWord(rest)
	if f.Subject == nil {
		return argError("route message parse error", f.Arg)
	}
	f.Routing = bytes.TrimRight(routing[:len(routing)-len(rest)], " \t")

	// The sizes stand at the end.
	var word []byte
	rest, word = cutLastWord(rest)
	if f.Size = Size(word); f.Size < 0 {
		return argError("route message bad or missing size", f.Arg)
	}
	if f.Op != RouteMsg {
		rest, word = cutLastWord(rest)
		if f.Hdr = Size(word); f.Hdr < 0 || f.Hdr > f.Size {
			return argError("route message bad or missing header size", f.Arg)
		}
	}
	return f.parseReplyAndQueues(rest)
}

// parseReplyAndQueues reads what stands between subject and sizes: nothing, a
// reply, or an indicator with queue groups behind it.
func (f *RouteFrame) parseReplyAndQueues(rest []byte) error {
	first, rest := cutWord(rest)
	if first == nil {
		return nil
	}
	if len(rest) == 0 {
		f.Reply = first
		return nil
	}
	switch string(first) {
	case "+":
		f.Reply, rest = cutWord(rest)
	case "|":
	default:
		return argError("route message bad or missing reply indicator", f.Arg)
	}
	f.queues, f.HasQueues = rest, len(rest) > 0
	return nil
}

// cutWord splits off the first word of b; rest begins at the next word. The word
// is nil if there is none.
func cutWord(b []byte) (word, rest []byte) {
	i := skipBlanks(b, 0)
	start := i
	for i < len(b) && !blank(b[i]) {
		i++
	}
	if i == start {
		return nil, nil
	}
	return b[start:i:i], b[skipBlanks(b, i):]
}

// cutLastWord splits off the last word of b; it is empty if there is none.
func cutLastWord(b []byte) (rest, word []byte) {
	end := len(b)
	for end > 0 && blank(b[end-1]) {
		end--
	}
	start := end
	for start > 0 && !blank(b[start-1]) {
		start--
	}
	return b[:start], b[start:end]
}

// AppendRouteSub appends RS+, or LS+ if there is an origin. account is empty on a
// connection of one account; weight counts with a queue only.
func AppendRouteSub(dst []byte, origin, account, subject, queue string, weight int) []byte {
	dst = appendInterest(dst, "S+ ", origin, account, subject, queue)
	if queue != "" {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, int64(weight), 10)
	}
	return append(dst, "\r\n"...)
}

// AppendRouteInterest appends RI+: own members of those that stand for weight are the account's.
func AppendRouteInterest(dst []byte, account, subject string, own int, queue string, weight int) []byte {
	dst = appendInterest(dst, "I+ ", "", account, subject, "")
	dst = strconv.AppendInt(append(dst, ' '), int64(own), 10)
	if queue != "" {
		dst = append(append(append(dst, ' '), queue...), ' ')
		dst = strconv.AppendInt(dst, int64(weight), 10)
	}
	return append(dst, "\r\n"...)
}

// AppendRouteUnsub appends RS-, or LS- if there is an origin.
func AppendRouteUnsub(dst []byte, origin, account, subject, queue string) []byte {
	return append(appendInterest(dst, "S- ", origin, account, subject, queue), "\r\n"...)
}

func appendInterest(dst []byte, verb, origin, account, subject, queue string) []byte {
	if origin == "" {
		dst = append(append(dst, 'R'), verb...)
	} else {
		dst = append(append(append(append(dst, 'L'), verb...), origin...), ' ')
	}
	if account != "" {
		dst = append(append(dst, account...), ' ')
	}
	dst = append(dst, subject...)
	if queue != "" {
		dst = append(append(dst, ' '), queue...)
	}
	return dst
}

// AppendRouteMsg appends the line of RMSG, or of HMSG if hdr is not negative, or the verbs
// for another entry, through its "\r\n"; the body follows. account is empty on a connection
// of one account.
func AppendRouteMsg[B ~string | ~[]byte](dst []byte, e RouteEntry, account string, subject, reply B, queues []string, hdr, size int) []byte {
	with := byte('R')
	if hdr >= 0 {
		with = 'H'
	}
	dst = append(append(dst, with), routeEntries[e]...)
	return appendRouting(dst, account, subject, reply, queues, hdr, size)
}

// AppendRouteLeafMsg appends the line of LMSG, through its "\r\n", for a message that a leaf node of a cluster, origin, has
// published; the body follows. hdr is not positive without a header.
func AppendRouteLeafMsg[B ~string | ~[]byte](dst []byte, origin, account string, subject, reply B, queues []string, hdr, size int) []byte {
	dst = append(append(append(dst, "LMSG "...), origin...), ' ')
	return appendRouting(dst, account, subject, reply, queues, max(hdr, 0), size)
}

// appendRouting appends what stands behind the verb and the origin.
func appendRouting[B ~string | ~[]byte](dst []byte, account string, subject, reply B, queues []string, hdr, size int) []byte {
	if account != "" {
		dst = append(append(dst, account...), ' ')
	}
	dst = append(append(dst, subject...), ' ')
	switch {
	case len(queues) > 0 && len(reply) > 0:
		dst = append(dst, "+ "...)
	case len(queues) > 0:
		dst = append(dst, "| "...)
	}
	if len(reply) > 0 {
		dst = append(append(dst, reply...), ' ')
	}
	for _, q := range queues {
		dst = append(append(dst, q...), ' ')
	}
	if hdr >= 0 {
		dst = append(strconv.AppendInt(dst, int64(hdr), 10), ' ')
	}
	return append(strconv.AppendInt(dst, int64(size), 10), "\r\n"...)
}
