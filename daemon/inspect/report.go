package inspect

import (
	"cmp"
	"slices"
	"time"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the mildest first.
const (
	Note    Severity = "note"    // worth knowing, nothing is wrong
	Damaged Severity = "damaged" // something is, and no message is lost by it
	Lost    Severity = "lost"    // messages, or what is known of consumers
	Refused Severity = "refused" // a broker does not start on it
)

var severities = []Severity{Note, Damaged, Lost, Refused}

// Finding is something about a store.
type Finding struct {
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // "node", "catalogue", "journal" or "stream ACCOUNT > NAME"
	File     string   `json:"file,omitempty"`
	Text     string   `json:"text"`
	From     uint64   `json:"from,omitempty"` // messages it is about, by sequence
	To       uint64   `json:"to,omitempty"`
	Repair   string   `json:"repair,omitempty"` // what repair is told to repair, where it can do something
}

// Report is what a check found.
type Report struct {
	Store    string    `json:"store"`
	Format   uint32    `json:"format"` // 0: not known
	Node     string    `json:"node,omitempty"`
	Verdict  Severity  `json:"verdict"` // of the worst finding; "note" where all is well
	Journal  Journal   `json:"journal"`
	Streams  []Stream  `json:"streams"`
	Findings []Finding `json:"findings"`
}

// Journal is what is known of the journal.
type Journal struct {
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	Frames uint64 `json:"frames"`
	End    uint64 `json:"end"`   // the last commit that counts
	Clean  bool   `json:"clean"` // it was closed, and nothing is missing
}

// Stream is what is known of a stream.
type Stream struct {
	Account   string    `json:"account"`
	Name      string    `json:"name"`
	ID        uint64    `json:"id"` // its folder
	Created   time.Time `json:"created"`
	Messages  uint64    `json:"messages"` // in its files
	Bytes     uint64    `json:"bytes"`
	First     uint64    `json:"first"`
	Last      uint64    `json:"last"`
	Segments  int       `json:"segments"`
	Stored    int64     `json:"stored"` // bytes of its segments
	Consumers int       `json:"consumers"`
	InJournal uint64    `json:"in_journal"` // messages that only the journal has, some of them perhaps deleted
	LostCount uint64    `json:"lost"`
	Lost      []Range   `json:"lost_ranges,omitempty"`
	Durable   uint64    `json:"durable"` // the commit up to which its files are true
}

// Range is a range of sequences.
type Range struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

func (r *Report) find(f Finding) {
	r.Findings = append(r.Findings, f)
	if slices.Index(severities, f.Severity) > slices.Index(severities, r.Verdict) {
		r.Verdict = f.Severity
	}
}

// sort puts the worst first.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(severities, b.Severity), slices.Index(severities, a.Severity)), cmp.Compare(a.Where, b.Where), cmp.Compare(a.From, b.From))
	})
}
