package broker

import "github.com/nats-broker/nats-broker/daemon/websocket"

// closeStatus is the status of the close frame that tells a WebSocket client why its connection ends, as nats-server
// 2.15.3 has it.
func closeStatus(r Reason) int {
	switch r {
	case ClientClosed:
		return websocket.CloseNormal
	case AuthenticationTimeout, AuthenticationViolation, SlowConsumerPendingBytes, SlowConsumerWriteDeadline,
		MaxAccountConnectionsExceeded, MaxConnectionsExceeded, MaxControlLineExceeded, MaxSubscriptionsExceeded,
		MissingAccount, AuthenticationExpired, Revocation:
		return websocket.ClosePolicy
	case TLSHandshakeError:
		return websocket.CloseTLS
	case ParseFailed, ProtocolViolation, BadClientProtocolVersion:
		return websocket.CloseProtocolError
	case MaxPayloadExceeded:
		return websocket.CloseTooBig
	case WriteFailed, ReadFailed, StaleConnection, ServerShutdown:
		return websocket.CloseGoingAway
	}
	return websocket.CloseInternal
}
