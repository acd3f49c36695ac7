package monitor

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// refuse answers a request that makes no sense, in plain text.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusBadRequest)
	w.Write([]byte(err.Error()))
}

// write sends one of the endpoints' answers. Any page may read it, which is
// what nats-server offers in place of JSONP.
func write(w http.ResponseWriter, code int, body []byte) {
	head(w, code)
	w.Write(body)
}

func head(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(code)
}

func writeIndented(w http.ResponseWriter, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, http.StatusOK, b)
}

func writeCompact(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, code, b)
}

// piece is how much of a long list is encoded before it is sent.
const piece = 32 << 10

// stall is how long a reader may leave a piece unread before it is cut off.
const stall = 30 * time.Second

// writeList sends v, whose last field, name, is an empty list or left out, with
// that list filled in. The text is that of MarshalIndent over the whole, but it
// is made in small pieces, so that a list of any length needs little memory;
// what makes the list has to pace itself.
func writeList[T any](w http.ResponseWriter, v any, name string, list iter.Seq[T]) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b = bytes.TrimSuffix(b, []byte("\n}"))
	empty := []byte("\"" + name + "\": []")
	if rest, ok := bytes.CutSuffix(b, empty); ok {
		b = rest
	} else {
		b = append(b, ",\n  "...)
	}
	b = append(append(append(b, '"'), name...), "\": [\n    "...)
	head(w, http.StatusOK)
	deadline := http.NewResponseController(w)
	more := false
	for element := range list {
		if more {
			b = append(b, ",\n    "...)
		}
		more = true
		if b, err = appendElement(b, element); err != nil {
			return // cut short: the reader sees invalid JSON, not a wrong list
		}
		if len(b) < piece {
			continue
		}
		_ = deadline.SetWriteDeadline(time.Now().Add(stall))
		if _, err := w.Write(b); err != nil {
			return
		}
		b = b[:0]
	}
	b = append(b, "\n  ]\n}"...)
	_ = deadline.SetWriteDeadline(time.Now().Add(stall))
	if _, err := w.Write(b); err != nil {
		return
	}
	_ = deadline.SetWriteDeadline(time.Time{})
}

// appendElement appends an element of a list at depth one.
func appendElement(b []byte, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendJSON(b), nil
	}
	text, err := json.MarshalIndent(v, "    ", "  ")
	return append(b, text...), err
}
