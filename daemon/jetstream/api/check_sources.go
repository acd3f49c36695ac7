package api

import (
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

func (k *checker) sources() *Error {
	if len(k.c.Sources) > 0 && k.c.AllowSchedules {
		return SourceWithSchedules.Error()
	}
	same, consumers := map[string]bool{}, map[string]bool{}
	for _, s := range k.c.Sources {
		if s == nil || !ValidName(s.Name) {
			return SourceName.Error()
		}
		if id := s.identity(); same[id] {
			return SourceDuplicate.Error()
		} else {
			same[id] = true
		}
		if err := s.check(); err != nil {
			return err
		}
		if s.Consumer != nil {
			id := s.Name + "\x00" + s.prefix() + "\x00" + s.Consumer.Name
			if consumers[id] {
				return SourceConsumerDuplicate.Error()
			}
			consumers[id] = true
		}
		if s.External != nil {
			k.external(s.External)
			continue
		}
		if o := k.stream(s.Name); o != nil {
			k.seen = append(k.seen, o.Subjects...)
			if k.c.MaxMsgSize > 0 && o.MaxMsgSize > 0 && k.c.MaxMsgSize < o.MaxMsgSize {
				return SourceMaxMsgSize.Error()
			}
		}
	}
	return nil
}

// identity tells sources apart: origin, consumer, filter and transforms.
func (s *Source) identity() string {
	id := []string{s.Name, s.prefix(), "", orAll(s.FilterSubject)}
	if s.Consumer != nil {
		id[2] = s.Consumer.Name
	}
	for _, t := range s.Transforms {
		id = append(id, orAll(t.Source), orAll(t.Destination))
	}
	return strings.Join(id, "\x00")
}

func orAll(s string) string {
	if s == "" {
		return ">"
	}
	return s
}

func (s *Source) prefix() string {
	if s.External == nil {
		return ""
	}
	return s.External.API
}

func (s *Source) check() *Error {
	if s.FilterSubject != "" && len(s.Transforms) != 0 {
		return SourceManyFilters.Error()
	}
	for _, t := range s.Transforms {
		if err := t.check(SourceFilter, SourceTransform); err != nil {
			return err
		}
	}
	for i, t := range s.Transforms {
		for j, other := range s.Transforms {
			if i != j && subject.IsSubset(t.Source, other.Source) {
				return SourceFiltersOverlap.Error()
			}
		}
	}
	if !s.validConsumer() {
		return SourceConsumerInvalid.Error()
	}
	return nil
}

// BadFilter says which filter of an origin is no subject. It is asked after [StreamConfig.Check], and when it is known that the stream
// is new.
func (c *StreamConfig) BadFilter() *Error {
	if m := c.Mirror; m != nil && m.FilterSubject != "" && !validSubject(m.FilterSubject) {
		return StreamCreate.Error("subject filter '" + m.FilterSubject + "' for the mirror invalid subject")
	}
	for _, s := range c.Sources {
		if s.FilterSubject != "" && !validSubject(s.FilterSubject) {
			return StreamCreate.Error("subject filter '" + s.FilterSubject + "' for the source: invalid subject")
		}
	}
	return nil
}

// cycles refuses a stream that would take over its own messages through others.
func (k *checker) cycles() *Error {
	visited := map[string]bool{}
	for queue := []*StreamConfig{k.c}; len(queue) > 0; queue = queue[1:] {
		c := queue[0]
		visited[c.Name] = true
		for _, s := range c.Sources {
			if s.External != nil {
				continue
			}
			if visited[s.Name] {
				if reaches(c.Subjects, s.FilterSubject) {
					return invalid("detected cycle")
				}
			} else if o := k.stream(s.Name); o != nil {
				queue = append(queue, o)
			}
		}
		if m := c.Mirror; m != nil && m.External == nil {
			if visited[m.Name] {
				return invalid("detected cycle")
			}
			if o := k.stream(m.Name); o != nil {
				queue = append(queue, o)
			}
		}
	}
	return nil
}

func reaches(subjects []string, filter string) bool {
	for _, s := range subjects {
		if filter != "" && subject.Collide(s, filter) {
			return true
		}
	}
	return filter == ""
}
