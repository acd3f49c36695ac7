package subject

import "strings"

// Subjects with a meaning of their own to servers, and who may write which.

// ServiceReply is what the reply subjects begin with that requests get on their way through a service import.
const ServiceReply = "_R_."

// JetStream is what all subjects of JetStream begin with.
const JetStream = "$JS."

// gatewayReplies are what reply subjects of gateways begin with, and began with once.
var gatewayReplies = [...]string{"_GR_.", "$GR."}

// IsGatewayReply reports whether s is a reply subject of a gateway. No client may publish to one.
func IsGatewayReply[S Text](s S) bool {
	for _, p := range gatewayReplies {
		if begins(s, p) && len(s) > len(p) {
			return true
		}
	}
	return false
}

// IsReservedReply reports whether only servers may ask for answers to s: what answers there would be taken for the
// answer of a service, or for a request to JetStream by somebody who may not make it (nats-server 2.15.3).
func IsReservedReply[S Text](s S) bool {
	if len(s) == 0 || s[0] != '_' && s[0] != '$' {
		return false
	}
	return begins(s, ServiceReply) || IsJetStream(s) || IsGatewayReply(s)
}

// IsJetStream reports whether s is a subject of JetStream, whatever kind.
func IsJetStream[S Text](s S) bool { return begins(s, JetStream) && len(s) > len(JetStream) }

// IsJetStreamRequest reports whether a message to s is a request to JetStream, in a domain of its own too.
func IsJetStreamRequest[S Text](s S) bool {
	kind, domain := jetStreamKind(s)
	return kind == "API" || domain
}

// HasEffect reports whether a message to s does something in a server beyond being delivered: it is one of the
// subjects of JetStream that are heard there, or an answer that a server waits for. None of them is where messages
// of a stream, answers or events may be sent to.
func HasEffect[S Text](s S) bool {
	if begins(s, ServiceReply) || IsGatewayReply(s) {
		return true
	}
	switch kind, domain := jetStreamKind(s); kind {
	case "API", "ACK", "FC", "SNAPSHOT", "EVENT":
		return true
	default:
		return domain
	}
}

// jetStreamKind returns the token behind "$JS", and whether the one behind that makes it the domain of a request.
func jetStreamKind[S Text](s S) (kind string, domain bool) {
	if !begins(s, JetStream) {
		return "", false
	}
	first, rest, more := Next(s[len(JetStream):])
	if !more {
		return string(first), false
	}
	second, _, _ := Next(rest)
	return string(first), string(second) == "API"
}

func begins[S Text](s S, prefix string) bool {
	return len(s) >= len(prefix) && strings.HasPrefix(string(s[:len(prefix)]), prefix)
}
