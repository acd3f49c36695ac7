package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// topStreams is the part of /jsz that is shown.
type topStreams struct {
	Memory    uint64 `json:"memory"`
	Storage   uint64 `json:"storage"`
	Streams   int    `json:"streams"`
	Consumers int    `json:"consumers"`
	Messages  uint64 `json:"messages"`
	Accounts  []struct {
		Name    string      `json:"name"`
		Streams []topStream `json:"stream_detail"`
	} `json:"account_details"`

	list []topStream // that are shown, the largest first
}

// topStream is one stream.
type topStream struct {
	Name   string          `json:"name"`
	State  topStreamState  `json:"state"`
	Config topStreamConfig `json:"config"`

	account string
}

type topStreamState struct {
	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	Last      uint64 `json:"last_seq"`
	Subjects  int    `json:"num_subjects"`
	Consumers int    `json:"consumer_count"`
	Lost      *struct {
		Messages []uint64 `json:"msgs"`
	} `json:"lost"`
}

type topStreamConfig struct {
	Storage string `json:"storage"`
}

// lookAtStreams asks for the streams: for their sums, or, if they are to be shown, for each.
func (c *topClient) lookAtStreams(ctx context.Context, q topQuery) (*topStreams, time.Time, error) {
	var z struct {
		topStreams
		Now time.Time `json:"now"`
	}
	path := "/jsz"
	if q.streams {
		path += "?streams=true&config=true&limit=-1"
	}
	if err := c.get(ctx, path, &z); err != nil {
		return nil, time.Time{}, err
	}
	s := &z.topStreams
	for _, a := range s.Accounts {
		if q.account != "" && a.Name != q.account {
			continue
		}
		for _, st := range a.Streams {
			st.account = a.Name
			s.list = append(s.list, st)
		}
	}
	slices.SortFunc(s.list, func(a, b topStream) int {
		return cmp.Or(cmp.Compare(b.State.Bytes, a.State.Bytes), cmp.Compare(a.account, b.account), cmp.Compare(a.Name, b.Name))
	})
	return s, z.Now, nil
}

// page is what is shown of the streams.
func (s *topStreams) page(q topQuery) []topStream {
	from := min(q.offset, len(s.list))
	return s.list[from:min(from+q.limit, len(s.list))]
}

// streamLines are the table of streams.
func streamLines(before, now *topSample) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	page := now.streams.page(now.query)
	last := min(now.query.offset, len(now.streams.list)) + len(page)
	add("Streams %d-%d of %d, by bytes", min(now.query.offset+1, last), last, len(now.streams.list))
	const row = "%-22s %-12s %6s %9s %9s %7s %4s %4s"
	add(row, "STREAM", "ACCOUNT", "ON", "MESSAGES", "BYTES", "IN/S", "CONS", "LOST")
	old := map[[2]string]uint64{}
	if before.streams != nil {
		for _, s := range before.streams.list {
			old[[2]string{s.account, s.Name}] = s.State.Last
		}
	}
	for _, s := range page {
		rate := "-"
		if was, known := old[[2]string{s.account, s.Name}]; known && s.State.Last >= was {
			rate = topCount(perSecond(now.at.Sub(before.at))(int64(was), int64(s.State.Last)))
		}
		lost := 0
		if s.State.Lost != nil {
			lost = len(s.State.Lost.Messages)
		}
		add(row, clip(printable(s.Name), 22), clip(printable(s.account), 12), printable(s.Config.Storage), topCount(float64(s.State.Messages)),
			topBytes(float64(s.State.Bytes)), rate, topCount(float64(s.State.Consumers)), topCount(float64(lost)))
	}
	return lines
}
