package api

import (
	"errors"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

func (k *checker) transform() *Error {
	if k.c.SubjectTransform == nil {
		return nil
	}
	return k.c.SubjectTransform.check(TransformSource, TransformDestination)
}

// republish checks that what is published again does not come back.
func (k *checker) republish() *Error {
	c, r := k.c, k.c.Republish
	if r == nil {
		return nil
	}
	if r.Source == "" {
		if k.pedantic {
			return pedanticError("republish source can not be empty")
		}
		r.Source = ">"
	}
	if t := c.SubjectTransform; r.Source == ">" && r.Destination == ">" && t != nil && slices.Equal(c.Subjects, []string{t.Source}) {
		if k.pedantic {
			return pedanticError("implicit republish based on subject transform")
		}
		r.Source, r.Destination = t.Destination, t.Destination
	}
	for _, s := range c.Subjects {
		if subject.Collide(r.Destination, s) {
			return invalid("stream configuration for republish destination forms a cycle")
		}
	}
	if _, err := subject.NewTransform(r.Source, r.Destination); err != nil {
		return invalid("stream configuration for republish with transform from '%s' to '%s' not valid", r.Source, r.Destination)
	}
	return nil
}

// The texts are those of nats-server.
var errMappingShape = errors.New("invalid mapping destination: invalid transform")

// validMapping says what is wrong with a transform. An empty token or one behind ">" is named before
// anything else is looked at.
func validMapping(source, destination string) error {
	tail := false
	for t := range strings.SplitSeq(destination, ".") {
		if t == "" {
			return errMappingShape
		}
		if tail {
			return &subject.MappingError{Token: t, Err: errMappingShape}
		}
		tail = t == ">"
		if !strings.HasPrefix(t, "{{") && strings.ContainsAny(t, "\t\n\f\r ") {
			return errMappingShape
		}
	}
	_, err := subject.NewTransform(source, destination)
	return err
}
