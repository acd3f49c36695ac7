package monitor

import (
	"encoding/json"
	"strconv"
	"time"
)

// appender is a list element that writes itself faster than encoding/json
// would, with the same text: indented by two blanks, within a list at depth one.
type appender interface {
	appendJSON(b []byte) []byte
}

// appendJSON writes a connection as MarshalIndent would within /connz. There
// may be ten thousand of them in an answer, and time spent here is time the
// data path may want; TestListsInPieces compares the two.
func (c *ConnInfo) appendJSON(b []byte) []byte {
	w := objectWriter{b: append(b, '{')}
	w.unsigned("cid", c.CID)
	w.optional("kind", c.Kind)
	w.optional("type", c.Type)
	w.text("ip", c.IP)
	w.integer("port", int64(c.Port))
	w.time("start", c.Start)
	w.time("last_activity", c.LastActivity)
	if c.Stop != nil {
		w.time("stop", *c.Stop)
	}
	w.optional("reason", c.Reason)
	w.optional("rtt", c.RTT)
	w.text("uptime", c.Uptime)
	w.text("idle", c.Idle)
	w.integer("pending_bytes", c.Pending)
	w.integer("in_msgs", c.InMsgs)
	w.integer("out_msgs", c.OutMsgs)
	w.integer("in_bytes", c.InBytes)
	w.integer("out_bytes", c.OutBytes)
	if c.Stalls != 0 {
		w.integer("stalls", c.Stalls)
	}
	w.unsigned("subscriptions", uint64(c.NumSubs))
	w.optional("name", c.Name)
	w.optional("lang", c.Lang)
	w.optional("version", c.Version)
	w.optional("tls_version", c.TLSVersion)
	w.optional("tls_cipher_suite", c.TLSCipher)
	w.other("tls_peer_certs", c.TLSPeerCerts, len(c.TLSPeerCerts) > 0)
	w.other("tls_first", true, c.TLSFirst)
	w.optional("authorized_user", c.AuthorizedUser)
	w.optional("account", c.Account)
	w.texts("subscriptions_list", c.Subs)
	w.other("subscriptions_list_detail", c.SubsDetail, len(c.SubsDetail) > 0)
	w.optional("jwt", c.JWT)
	w.optional("issuer_key", c.IssuerKey)
	w.optional("name_tag", c.NameTag)
	w.texts("tags", c.Tags)
	w.optional("mqtt_client", c.MQTTClient)
	w.other("proxy", c.Proxy, c.Proxy != nil)
	return append(w.b, "\n    }"...)
}

// objectWriter appends the members of an object at depth two.
type objectWriter struct {
	b    []byte
	more bool
}

func (w *objectWriter) key(name string) {
	if w.more {
		w.b = append(w.b, ',')
	}
	w.more = true
	w.b = append(append(append(w.b, "\n      \""...), name...), "\": "...)
}

func (w *objectWriter) integer(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *objectWriter) unsigned(name string, n uint64) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *objectWriter) time(name string, t time.Time) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *objectWriter) optional(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

func (w *objectWriter) text(name, s string) {
	w.key(name)
	w.b = appendText(w.b, s)
}

// texts leaves an empty list out.
func (w *objectWriter) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	between := "[\n        "
	for _, s := range list {
		w.b = appendText(append(w.b, between...), s)
		between = ",\n        "
	}
	w.b = append(w.b, "\n      ]"...)
}

func appendText(b []byte, s string) []byte {
	if plain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, _ := json.Marshal(s) // a string always can be
	return append(b, quoted...)
}

// other leaves a value to encoding/json.
func (w *objectWriter) other(name string, v any, present bool) {
	if !present {
		return
	}
	w.key(name)
	text, err := json.MarshalIndent(v, "      ", "  ")
	if err != nil {
		text = []byte("null") // cannot happen: the types hold strings and numbers
	}
	w.b = append(w.b, text...)
}

// plain reports whether encoding/json writes s as it stands.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
