package monitor

import (
	"cmp"
	"strings"
	"sync"
	"time"
)

// SubjectRow is a subject that is subscribed to, in one account.
type SubjectRow struct {
	Account string `json:"account"`
	Subject string `json:"subject"`
	Subs    int    `json:"subs"`
	Queues  int    `json:"queues"` // subscriptions of these that are in queue groups
	Msgs    int64  `json:"msgs"`   // messages delivered to them

	// Rate is deliveries a second between the last two counts; below zero
	// when there was no count before, or it did not have this subject.
	Rate float64 `json:"rate"`
}

// subjectKey tells subjects in use apart.
type subjectKey struct{ account, subject string }

// SubjectPage is a page of subjects.
type SubjectPage struct {
	Total    int          `json:"total"`    // distinct subjects
	Matched  int          `json:"matched"`  // of these, those searched for
	Age      int64        `json:"age_ms"`   // how old the figures are
	Partial  bool         `json:"partial"`  // more subjects than are counted apart
	Subjects []SubjectRow `json:"subjects"` // the page
}

// subjectCache keeps the subjects in use, counted at most every few seconds:
// counting visits every subscription. Rates come from the counts of deliveries
// that the subscriptions keep anyway, compared with those of the count before;
// messages do not pay for them. What nobody asks for is not counted, and is
// forgotten after a minute.
type subjectCache struct {
	mu      sync.Mutex
	at      time.Time
	took    time.Duration
	rows    []SubjectRow       // never changed once made
	index   map[subjectKey]int // of rows
	partial bool
}

const (
	subjectAge  = 2 * time.Second
	maxSubjects = 200_000 // distinct subjects counted apart

	subjectMemory = time.Minute // how long a count is worth keeping
)

// inUse returns the subjects in use. A count that took long is kept longer, so
// that looking never takes more than a tenth of a processor.
func (r *Reporter) inUse() (rows []SubjectRow, at time.Time, partial bool) {
	c := &r.subjects
	c.mu.Lock()
	defer c.mu.Unlock()
	start := r.now()
	if c.rows != nil && start.Sub(c.at) < max(subjectAge, 10*c.took) {
		return c.rows, c.at, c.partial
	}
	before, indexBefore, elapsed := c.rows, c.index, start.Sub(c.at)
	c.rows, c.index, c.partial = []SubjectRow{}, make(map[subjectKey]int, len(before)), false
	if r.src.Subscriptions != nil {
		var pace pacer
		r.src.Subscriptions.EachSubscription("", func(s *Sub) bool {
			pace.step()
			k := subjectKey{s.Account, s.Subject}
			i, ok := c.index[k]
			if !ok {
				if len(c.rows) == maxSubjects {
					c.partial = true
					return true
				}
				i = len(c.rows)
				c.index[k] = i
				c.rows = append(c.rows, SubjectRow{Account: s.Account, Subject: s.Subject})
			}
			row := &c.rows[i]
			row.Subs++
			row.Msgs += s.Msgs
			if s.Queue != "" {
				row.Queues++
			}
			return true
		})
	}
	for k, i := range c.index {
		row := &c.rows[i]
		row.Rate = -1
		if j, known := indexBefore[k]; known && elapsed <= subjectMemory {
			// Subscriptions that ended take what they counted with them.
			row.Rate = float64(max(row.Msgs-before[j].Msgs, 0)) / elapsed.Seconds()
		}
	}
	c.at, c.took = start, r.now().Sub(start)
	return c.rows, c.at, c.partial
}

// forget drops a count that is too old to be of use.
func (c *subjectCache) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.at) > subjectMemory {
		c.rows, c.index, c.partial = nil, nil, false
	}
}

// subjectOrders are the columns the page can be sorted by.
var subjectOrders = map[string]func(a, b *SubjectRow) int{
	"subs":    func(a, b *SubjectRow) int { return cmp.Compare(b.Subs, a.Subs) },
	"queues":  func(a, b *SubjectRow) int { return cmp.Compare(b.Queues, a.Queues) },
	"rate":    func(a, b *SubjectRow) int { return cmp.Compare(b.Rate, a.Rate) },
	"msgs":    func(a, b *SubjectRow) int { return cmp.Compare(b.Msgs, a.Msgs) },
	"subject": func(a, b *SubjectRow) int { return cmp.Compare(a.Subject, b.Subject) },
	"account": func(a, b *SubjectRow) int { return cmp.Compare(a.Account, b.Account) },
}

// subjectQuery selects a page of subjects. search is in lower case.
type subjectQuery struct {
	sort, account, search string
	reverse               bool
	offset, limit         int
}

func (r *Reporter) subjectPage(q subjectQuery) SubjectPage {
	rows, at, partial := r.inUse()
	order := subjectOrders[q.sort]
	if order == nil {
		order = subjectOrders["subs"]
	}
	page := topK[SubjectRow]{k: q.offset + q.limit, less: func(a, b *SubjectRow) bool {
		c := order(a, b)
		if q.reverse {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Account, b.Account)) < 0
	}}
	p := SubjectPage{Total: len(rows), Age: r.now().Sub(at).Milliseconds(), Partial: partial}
	for i := range rows {
		row := &rows[i]
		if q.account != "" && row.Account != q.account {
			continue
		}
		if q.search != "" && !strings.Contains(strings.ToLower(row.Subject), q.search) {
			continue
		}
		p.Matched++
		page.offer(row)
	}
	p.Subjects = []SubjectRow{}
	for _, row := range page.page(q.offset) {
		p.Subjects = append(p.Subjects, *row)
	}
	return p
}
