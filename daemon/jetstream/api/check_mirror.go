package api

import "github.com/nats-broker/nats-broker/daemon/subject"

func (k *checker) mirror() *Error {
	c, m := k.c, k.c.Mirror
	if m == nil {
		return nil
	}
	switch {
	case c.FirstSeq > 0:
		return MirrorWithFirstSeq.Error()
	case len(c.Subjects) > 0:
		return MirrorWithSubjects.Error()
	case len(c.Sources) > 0:
		return MirrorWithSources.Error()
	case c.AllowCounter:
		return MirrorWithCounters.Error()
	case c.AllowAtomic:
		return MirrorWithAtomic.Error()
	case c.AllowBatched:
		return MirrorWithBatch.Error()
	case c.AllowSchedules:
		return MirrorWithSchedules.Error()
	case !m.validConsumer():
		return MirrorConsumerInvalid.Error()
	case m.FilterSubject != "" && len(m.Transforms) != 0:
		return MirrorManyFilters.Error()
	case c.DeleteMarkerTTL > 0:
		return invalid("subject delete markers forbidden on mirrors")
	}
	for i, t := range m.Transforms {
		if err := t.check(MirrorFilter, MirrorTransform); err != nil {
			return err
		}
		for j, other := range m.Transforms {
			if i != j && subject.Collide(t.Source, other.Source) {
				return MirrorFiltersOverlap.Error()
			}
		}
	}
	if m.External != nil {
		k.external(m.External)
		return nil
	}
	return k.origin()
}

// origin looks at the stream that is mirrored, if it is here.
func (k *checker) origin() *Error {
	c := k.c
	if !ValidName(c.Mirror.Name) {
		return MirrorName.Error()
	}
	o := k.stream(c.Mirror.Name)
	if o == nil {
		return nil
	}
	k.seen = append(k.seen, o.Subjects...)
	if c.MaxMsgSize > 0 && o.MaxMsgSize > 0 && c.MaxMsgSize < o.MaxMsgSize {
		return MirrorMaxMsgSize.Error()
	}
	if k.pedantic && c.MirrorDirect != o.AllowDirect {
		return pedanticError("origin stream has direct get set, mirror has it disabled")
	}
	c.MirrorDirect = o.AllowDirect
	return nil
}

// validConsumer checks the consumer that a source names.
func (s *Source) validConsumer() bool {
	d := s.Consumer
	if d == nil {
		return true
	}
	return ValidName(d.Name) && validSubject(d.DeliverSubject) && subject.IsLiteral(d.DeliverSubject) &&
		s.StartSeq == 0 && s.StartTime == nil && s.FilterSubject == ""
}

// check checks a transform; the codes are for a bad source and a bad destination.
func (t *Transform) check(source, destination Code) *Error {
	if t.Source != "" && !validSubject(t.Source) {
		return source.Error("invalid subject " + t.Source)
	}
	if t.Destination == "" {
		return nil
	}
	if err := validMapping(t.Source, t.Destination); err != nil {
		return destination.Error(err)
	}
	return nil
}

func (k *checker) external(e *External) {
	if e.Deliver != "" {
		k.deliver = append(k.deliver, e.Deliver)
	}
	if e.API != "" {
		k.apiPre = append(k.apiPre, e.API)
	}
}

// prefixes checks those of external sources.
func (k *checker) prefixes() *Error {
	for _, p := range k.deliver {
		if !validLiteral(p) {
			return ExternalDeliverInvalid.Error(p)
		}
		for _, s := range k.seen {
			if subject.Collide(s, p+"."+s) {
				return ExternalDeliverOverlaps.Error(p, s)
			}
		}
	}
	for _, p := range k.apiPre {
		if !validLiteral(p) {
			return invalid("stream external api prefix %q must be a valid subject without wildcards", p)
		}
		if subject.Collide(p, Prefix) {
			return ExternalAPIOverlaps.Error(p, Prefix)
		}
	}
	return nil
}
