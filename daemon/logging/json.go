package logging

import (
	"bytes"
	"strings"

	"github.com/rs/zerolog"
)

// jsonFormat renders one JSON object per line with zerolog. The keys are those of the journal in lower case:
type jsonFormat struct{ text textFormat }

func newJSONFormat(o Options) jsonFormat { return jsonFormat{text: o.text(false)} }

// jsonTime is RFC 3339 with microseconds, so that lines sort as text within a zone.
const jsonTime = "2006-01-02T15:04:05.000000Z07:00"

func (j jsonFormat) appendLine(b []byte, r *record) []byte {
	w := bytes.NewBuffer(b)
	log := zerolog.New(w)
	e := log.Log()
	if j.text.time {
		e.Str("time", j.text.stamp(r.time).Format(jsonTime))
	}
	e.Str("level", r.level.String()).Int("pid", j.text.pid).Str("subsystem", r.subsystem)
	if r.id.valid() {
		e.Str("event", r.id.Name()).Str("message_id", r.id.UUID())
	}
	for _, f := range r.fields {
		if f.absent() {
			continue
		}
		key := strings.ToLower(f.key)
		switch f.kind {
		case kindInt:
			e.Int64(key, int64(f.num))
		case kindUint:
			e.Uint64(key, f.num)
		default:
			e.Str(key, f.Value())
		}
		if no, ok := f.errno(); ok {
			e.Int("errno", int(no))
		}
	}
	e.Msg(strings.TrimSuffix(r.message, "\n"))
	return w.Bytes()
}
