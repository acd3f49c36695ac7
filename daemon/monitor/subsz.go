package monitor

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// SubszOptions select what /subsz shows. The JSON names are those of the
// system account's SUBSZ request.
type SubszOptions struct {
	Offset        int    `json:"offset"`
	Limit         int    `json:"limit"`
	Subscriptions bool   `json:"subscriptions"`
	Account       string `json:"account,omitempty"`
	Test          string `json:"test,omitempty"` // a literal subject: only subscriptions that would receive it
}

// Subsz is what /subsz shows.
type Subsz struct {
	ID  string    `json:"server_id"`
	Now time.Time `json:"now"`
	IndexInfo
	Total  int         `json:"total"`
	Offset int         `json:"offset"`
	Limit  int         `json:"limit"`
	Subs   []SubDetail `json:"subscriptions_list,omitempty"`
}

// IndexInfo are the figures of a subscription index as shown.
type IndexInfo struct {
	NumSubs      uint32  `json:"num_subscriptions"`
	NumCache     uint32  `json:"num_cache"`
	NumInserts   uint64  `json:"num_inserts"`
	NumRemoves   uint64  `json:"num_removes"`
	NumMatches   uint64  `json:"num_matches"`
	CacheHitRate float64 `json:"cache_hit_rate"`
	MaxFanout    uint32  `json:"max_fanout"`
	AvgFanout    float64 `json:"avg_fanout"`
}

// SubDetail is one subscription.
type SubDetail struct {
	Account    string `json:"account,omitempty"`
	AccountTag string `json:"account_tag,omitempty"`
	Subject    string `json:"subject"`
	Queue      string `json:"qgroup,omitempty"`
	SID        string `json:"sid"`
	Msgs       int64  `json:"msgs"`
	Max        int64  `json:"max,omitempty"`
	CID        uint64 `json:"cid"`
}

// Info derives the shown figures, with the rates that are quotients.
func (s IndexStats) Info() IndexInfo {
	info := IndexInfo{
		NumSubs: s.Subs, NumCache: s.Cache, NumInserts: s.Inserts, NumRemoves: s.Removes,
		NumMatches: s.Matches, MaxFanout: s.MaxFanout,
	}
	if s.Matches > 0 {
		info.CacheHitRate = float64(s.CacheHits) / float64(s.Matches)
	}
	if s.CacheCounted > 0 {
		info.AvgFanout = float64(s.TotalFanout) / float64(s.CacheCounted)
	}
	return info
}

// Subsz answers /subsz. Only the page that is shown is kept, but with a list
// all subscriptions are visited to count them.
func (r *Reporter) Subsz(o SubszOptions) (*Subsz, error) {
	o.Offset = max(o.Offset, 0)
	if o.Limit <= 0 {
		o.Limit = DefaultPage
	}
	if o.Test != "" && !subject.ValidLiteral(o.Test) {
		return nil, fmt.Errorf("invalid test subject, must be valid publish subject: %s", o.Test)
	}
	id, _ := r.identity()
	z := &Subsz{ID: id, Now: r.now().UTC(), Offset: o.Offset, Limit: o.Limit}
	subs := r.src.Subscriptions
	if subs == nil {
		return z, nil
	}
	z.IndexInfo = subs.IndexStats(o.Account).Info()
	if !o.Subscriptions {
		return z, nil
	}
	var pace pacer
	subs.EachSubscription(o.Account, func(s *Sub) bool {
		pace.step()
		if o.Test != "" && !subject.Matches(s.Subject, o.Test) {
			return true
		}
		if z.Total >= o.Offset && len(z.Subs) < o.Limit {
			d := clientSubDetail(s)
			d.Account, d.AccountTag = s.Account, s.AccountTag
			z.Subs = append(z.Subs, d)
		}
		z.Total++
		return true
	})
	return z, nil
}

// clientSubDetail is a subscription listed under its connection, where the
// account goes without saying.
func clientSubDetail(s *Sub) SubDetail {
	return SubDetail{Subject: s.Subject, Queue: s.Queue, SID: s.SID, Msgs: s.Msgs, Max: s.Max, CID: s.CID}
}

// clientSubDetails lists a connection's subscriptions. Those of a closed one are
// shown with the account all the same, as nats-server does.
// The list is appended to.
func clientSubDetails(list []SubDetail, subs []Sub, withAccount bool) []SubDetail {
	for i := range subs {
		d := clientSubDetail(&subs[i])
		if withAccount {
			d.Account, d.AccountTag = subs[i].Account, subs[i].AccountTag
		}
		list = append(list, d)
	}
	return list
}

// subjectsOf appends the subscriptions' subjects to list.
func subjectsOf(list []string, subs []Sub) []string {
	for i := range subs {
		list = append(list, subs[i].Subject)
	}
	return list
}
