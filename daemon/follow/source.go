package follow

import (
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// SourceHeader is the header in which a message says where it was taken from.
const SourceHeader = "Nats-Stream-Source"

// Origin says what a source takes: its stream, by which API it is reached, the consumer if it was made for the purpose, and which
// subjects are asked for and what they become.
type Origin struct {
	Stream, API, Consumer string
	External              bool // it is reached by API
	Filter                string
	Sources, Destinations []string // of transforms
}

// Name tells origins of one stream apart, in headers too: stream, filter and destination with blanks between.
func (o *Origin) Name() string {
	name := o.Stream
	if o.External {
		name += ":" + subject.NameHash(o.API)
	}
	if o.Consumer != "" {
		name += ":C=" + subject.NameHash(o.Consumer)
	}
	filter, destination := orAll(o.Filter), ">"
	if len(o.Sources) > 0 {
		filter, destination = all(o.Sources), all(o.Destinations)
	}
	return name + " " + filter + " " + destination
}

func all(subjects []string) string {
	list := make([]string, len(subjects))
	for i, s := range subjects {
		list[i] = orAll(s)
	}
	return strings.Join(list, "\f")
}

func orAll(s string) string {
	if s == "" {
		return ">"
	}
	return s
}

// Position is a message of an origin.
type Position struct {
	Seq      uint64
	Identity string // of the origin; "": it did not say
}

// AppendSource appends the value of the header of a message that is taken from an origin, by its name, where it was on a subject.
func AppendSource(b []byte, name string, p Position, subj []byte) []byte {
	stream, rest, _ := strings.Cut(name, " ")
	b = append(append(b, stream...), ' ')
	b = strconv.AppendUint(b, p.Seq, 10)
	b = append(append(b, ' '), rest...)
	b = append(append(b, ' '), subj...)
	if p.Identity != "" {
		b = append(append(b, ' '), p.Identity...)
	}
	return b
}

// ParseSource reads the value of the header. name is "" for one of an age when there was only one origin of each stream,
// which is named then.
func ParseSource(v string) (name, stream string, p Position, ok bool) {
	if strings.HasPrefix(v, "$JS.ACK.") { // of the oldest age
		t := strings.Split(v, ".")
		d, ok := ParseDelivery([]byte(v))
		if !ok {
			return "", "", p, false
		}
		stream = t[2]
		if len(t) >= longTokens {
			stream = t[4]
		}
		return "", stream, Position{Seq: d.Seq}, true
	}
	t := strings.Split(v, " ")
	if len(t) < 2 || len(t) == 3 {
		return "", "", p, false
	}
	stream = t[0]
	if p.Seq, ok = number(t[1]); !ok {
		return "", "", p, false
	}
	if len(t) >= 4 {
		name = t[0] + " " + t[2] + " " + t[3]
	}
	if len(t) >= 6 {
		p.Identity = t[5]
	}
	return name, stream, p, true
}
