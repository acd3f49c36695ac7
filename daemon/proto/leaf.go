package proto

// A leaf node and its hub speak the protocol of a route that serves one account, with
// other verbs: nothing names the account, and an L stands in front where a route has an R
// (nats-server 2.15.3). So they share [RouteFrame].
//
//	LS+ subject [queue weight]
//	LS- subject [queue]
//	LMSG subject [reply | + reply queue… | | queue…] size
//	HMSG, with the size of the header before the size

// LeafLead is what a message without a header begins with, through the blank behind the verb.
const LeafLead = "LMSG "

var leafVerbs = []peerVerb{
	{"LMSG", RouteMsg, true, 0},
	{"HMSG", RouteHMsg, true, 0},
	{"LS+", RouteSub, true, 0},
	{"LS-", RouteUnsub, true, 0},
	{"PING", RoutePing, false, 0},
	{"PONG", RoutePong, false, 0},
	{"INFO", RouteInfo, true, 0},
	{"CONNECT", RouteConnect, true, 0},
	{"+OK", RouteOK, false, 0},
	{"-ERR", RouteErr, true, 0},
}

// NextLeaf parses the frame that buf, which comes from a leaf node or a hub, begins with; it
// reports as [Next] does.
func NextLeaf(buf []byte, lim *Limits, f *RouteFrame) (n, need int, err error) {
	return nextOf(leafVerbs, buf, lim, true, f)
}

// AppendLeafSub appends LS+; weight counts with a queue only.
func AppendLeafSub(dst []byte, subject, queue string, weight int) []byte {
	return asLeaf(dst, AppendRouteSub(dst, "", "", subject, queue, weight))
}

// AppendLeafUnsub appends LS-.
func AppendLeafUnsub(dst []byte, subject, queue string) []byte {
	return asLeaf(dst, AppendRouteUnsub(dst, "", "", subject, queue))
}

// AppendLeafMsg appends the line of LMSG, or of HMSG if hdr is not negative, through its "\r\n"; the
// body follows.
func AppendLeafMsg[B ~string | ~[]byte](dst []byte, subject, reply B, queues []string, hdr, size int) []byte {
	return asLeaf(dst, AppendRouteMsg(dst, RoutePublished, "", subject, reply, queues, hdr, size))
}

// asLeaf puts the letter of leaf nodes in place of that of routes, in what was appended to dst.
func asLeaf(dst, all []byte) []byte {
	if all[len(dst)] == 'R' {
		all[len(dst)] = 'L'
	}
	return all
}
