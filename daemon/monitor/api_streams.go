package monitor

import (
	"strings"
	"time"
)

// StreamPage is a page of streams, the largest first.
type StreamPage struct {
	Available bool            `json:"available"` // JetStream is on
	Total     int             `json:"total"`
	Matched   int             `json:"matched"`
	Stats     *JetStreamStats `json:"stats,omitempty"`
	Free      uint64          `json:"free"` // bytes on the disk
	Need      uint64          `json:"need"` // of it, for messages to be taken
	Trouble   string          `json:"trouble,omitempty"`
	Refused   uint64          `json:"refused"` // messages, of which nobody was told
	Streams   []StreamEntry   `json:"streams"`
}

// StreamEntry is one stream.
type StreamEntry struct {
	Account   string    `json:"account"`
	Name      string    `json:"name"`
	Storage   string    `json:"storage"`
	Created   time.Time `json:"created"`
	Messages  uint64    `json:"messages"`
	Bytes     uint64    `json:"bytes"`
	Subjects  int       `json:"subjects"`
	Consumers int       `json:"consumers"`
	First     uint64    `json:"first"`
	Last      uint64    `json:"last"`
	Lost      uint64    `json:"lost"`
	Failure   string    `json:"failure,omitempty"`
}

func apiStreams(m *Monitor, q *query) (any, error) {
	offset, limit := q.pageOf()
	search := strings.ToLower(strings.TrimSpace(q.text("q")))
	p := StreamPage{Streams: []StreamEntry{}}
	js := m.reporter.jetStream()
	if q.err != nil || js == nil {
		return p, q.err
	}
	p.Available, p.Stats, p.Refused = true, &js.Stats, js.Refused
	if d := m.reporter.src.JetStream.Storage(); d != nil {
		p.Free, p.Need, p.Trouble = d.Free, d.Need, d.Trouble()
	}
	type row struct {
		account string
		stream  Stream
		figures StreamFigures
	}
	page := topK[row]{k: offset + limit, less: func(a, b *row) bool {
		if a.figures.Bytes != b.figures.Bytes {
			return a.figures.Bytes > b.figures.Bytes
		}
		return a.account+" "+a.stream.Name() < b.account+" "+b.stream.Name()
	}}
	for _, a := range m.reporter.src.JetStream.Accounts() {
		for _, s := range a.Streams {
			p.Total++
			if search == "" || strings.Contains(strings.ToLower(a.Name+" "+s.Name()), search) {
				p.Matched++
				page.offer(&row{a.Name, s, s.Figures()})
			}
		}
	}
	for _, r := range page.page(offset) {
		i := r.stream.Report()
		e := StreamEntry{
			Account: r.account, Name: r.stream.Name(), Storage: i.Config.Storage.String(), Created: i.Created, Messages: r.figures.Msgs, Bytes: r.figures.Bytes,
			Subjects: r.figures.Subjects, Consumers: r.figures.Consumers, First: r.figures.First, Last: r.figures.Last, Lost: r.figures.Lost,
		}
		if err := r.stream.Failure(); err != nil {
			e.Failure = err.Error()
		}
		p.Streams = append(p.Streams, e)
	}
	return p, nil
}
