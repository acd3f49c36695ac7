package api

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

func validSubject(s string) bool { return subject.ValidStrict(s, false) }

func validLiteral(s string) bool { return validSubject(s) && subject.IsLiteral(s) }

// subjects are the name if nothing is said.
func (k *checker) subjects() *Error {
	c := k.c
	if len(c.Subjects) == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		c.Subjects = []string{c.Name}
		return nil
	}
	for i, s := range c.Subjects {
		if !validSubject(s) {
			return invalid("invalid subject")
		}
		if slices.Contains(c.Subjects[:i], s) {
			return invalid("duplicate subjects detected")
		}
		if err := k.reserved(s); err != nil {
			return err
		}
		for _, other := range c.Subjects[i+1:] {
			if subject.Collide(other, s) {
				return invalid("subject %q overlaps with %q", s, other)
			}
		}
	}
	return nil
}

// reserved refuses what a stream may take only if it does not answer.
func (k *checker) reserved(s string) *Error {
	c := k.c
	if s == ">" && !c.NoAck {
		return invalid("capturing all subjects requires no-ack to be true")
	}
	if s == ">" && c.Replicas != 1 {
		return invalid("capturing all subjects requires replicas of 1")
	}
	if c.NoAck {
		return nil
	}
	for _, space := range []string{"$JS.>", "$JSC.>", "$NRG.>"} {
		if subject.Collide(s, space) && !subject.IsSubset(s, "$JS.EVENT.>") {
			return invalid("subjects that overlap with jetstream api require no-ack to be true")
		}
	}
	if subject.Collide(s, "$SYS.>") && !subject.IsSubset(s, "$SYS.ACCOUNT.>") {
		return invalid("subjects that overlap with system api require no-ack to be true")
	}
	return nil
}

// Overlaps reports whether two lists of subjects have one in common.
func Overlaps(a, b []string) bool {
	for _, s := range a {
		for _, t := range b {
			if subject.Collide(s, t) {
				return true
			}
		}
	}
	return false
}
