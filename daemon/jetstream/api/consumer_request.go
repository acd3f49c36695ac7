package api

import (
	"strings"
)

// The operations on consumers.
const (
	createPrefix  = Prefix + ".CONSUMER.CREATE."
	durablePrefix = Prefix + ".CONSUMER.DURABLE.CREATE."
)

// Named takes the names in the subject of a request for a consumer into the request, and returns
// what does not fit; nil: all does.
func (r *ConsumerRequest) Named(subj string) *Error {
	if rest, ok := strings.CutPrefix(subj, durablePrefix); ok {
		return r.namedDurable(rest)
	}
	rest := strings.TrimPrefix(subj, createPrefix)
	stream, rest, named := strings.Cut(rest, ".")
	name, filter, _ := strings.Cut(rest, ".")
	if !named {
		name = r.Config.Name
	}
	switch {
	case stream != r.Stream:
		return NameMismatch.Error()
	case strings.ContainsAny(name, `\/`):
		return ConsumerNameSeparators.Error()
	case named && r.Config.Durable != "" && name != r.Config.Durable:
		return DurableMismatch.Error()
	case !named && r.Config.Durable != "":
		return EphemeralExpected.Error()
	case filter != "" && len(r.Config.FilterSubjects) > 0:
		return FiltersWithSubject.Error()
	case filter != "" && filter != r.Config.FilterSubject:
		return FilterNotAsSubject.Error()
	}
	r.Config.Name = name
	return nil
}

func (r *ConsumerRequest) namedDurable(rest string) *Error {
	stream, name, _ := strings.Cut(rest, ".")
	switch {
	case stream != r.Stream:
		return NameMismatch.Error()
	case strings.ContainsAny(name, `\/`):
		return ConsumerNameSeparators.Error()
	case r.Config.Durable == "":
		return DurableNotSet.Error()
	case name != r.Config.Durable:
		return DurableMismatch.Error()
	}
	r.Config.Name = name
	return nil
}
