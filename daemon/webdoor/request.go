package webdoor

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// read reads the request; what comes behind it stays in First.
func (u *Upgrader) read(o *broker.Opening) (*http.Request, error) {
	end := time.Now().Add(u.opts.Timeout)
	for looked := 0; ; {
		if n := endOfHead(o.First, looked); n > 0 {
			head := o.First[:n]
			o.First = o.First[n:]
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
			if err != nil {
				return nil, u.refuse(o, &refusal{http.StatusBadRequest, err.Error()})
			}
			return r, nil
		}
		if len(o.First) > 0 && (o.First[0] < 'A' || o.First[0] > 'z') {
			return nil, u.refuse(o, &refusal{http.StatusBadRequest, "malformed HTTP request"}) // TLS, perhaps
		}
		if looked = len(o.First); looked > maxRequest {
			return nil, u.refuse(o, &refusal{http.StatusRequestHeaderFieldsTooLarge, "request too large"})
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, broker.Refuse(broker.ClientClosed, nil)
		}
		if err := o.Read(left); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && o.Conn().Aborted() == nil {
				return nil, broker.Refuse(broker.ClientClosed, nil)
			}
			return nil, err
		}
	}
}

// endOfHead returns where the head of a request ends; 0: not yet. The first looked bytes were looked at before.
func endOfHead(b []byte, looked int) int {
	from := max(looked-3, 0)
	for i := from; i < len(b); i++ {
		if b[i] != '\n' {
			continue
		}
		switch rest := b[i+1:]; {
		case len(rest) >= 1 && rest[0] == '\n':
			return i + 2
		case len(rest) >= 2 && rest[0] == '\r' && rest[1] == '\n':
			return i + 3
		}
	}
	return 0
}

// check looks at a request, in nats-server's order.
func (u *Upgrader) check(r *http.Request, from net.Addr) *refusal {
	key := r.Header.Get("Sec-Websocket-Key")
	switch {
	case r.Method != http.MethodGet:
		return &refusal{http.StatusMethodNotAllowed, "request method must be GET"}
	case r.Host == "":
		return &refusal{http.StatusBadRequest, "'Host' missing in request"}
	case !websocket.HasToken(r.Header["Upgrade"], "websocket"):
		return &refusal{http.StatusBadRequest, "invalid value for header 'Upgrade'"}
	case !websocket.HasToken(r.Header["Connection"], "Upgrade"):
		return &refusal{http.StatusBadRequest, "invalid value for header 'Connection'"}
	case key == "":
		return &refusal{http.StatusBadRequest, "key missing"}
	case !websocket.ValidKey(key):
		return &refusal{http.StatusBadRequest, "invalid websocket key"}
	case !websocket.HasToken(r.Header["Sec-Websocket-Version"], "13"):
		return &refusal{http.StatusBadRequest, "invalid version"}
	}
	if err := u.checkOrigin(r, u.secure(r, from)); err != nil {
		return &refusal{http.StatusForbidden, "origin not allowed: " + err.Error()}
	}
	return nil
}
