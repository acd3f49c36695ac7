package api

import (
	"strings"
	"time"
)

// Sizes of what a configuration may hold.
const (
	maxName        = 255
	maxDescription = 4 << 10
	maxMetadata    = 128 << 10
	maxReplicas    = 5
	defaultWindow  = 2 * time.Minute
	shortest       = 100 * time.Millisecond // of ages and windows
)

// Surroundings are what a check must know of the server and the account.
type Surroundings struct {
	MaxWindow        time.Duration // longest duplicate window; 0: any
	MaxBytesRequired bool          // by the account
	MaxStreamBytes   [2]int64      // by the account, by [Storage]; 0 or less: any
	// Stream finds another stream of the account; nil: there is none.
	Stream func(name string) *StreamConfig
}

// Check returns the configuration with its defaults, or what is wrong with it first. In pedantic mode
// whatever would be corrected silently is an error.
func (c *StreamConfig) Check(sur *Surroundings, pedantic bool) (*StreamConfig, *Error) {
	k := &checker{c: c.Clone(), sur: sur, pedantic: pedantic}
	for _, step := range []func() *Error{
		k.names, k.numbers, k.times, k.features, k.mirror, k.sources, k.prefixes, k.cycles, k.subjects, k.maxBytes, k.transform,
		k.republish, k.placement,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return k.c, nil
}

// checker checks one configuration; c is completed on the way.
type checker struct {
	c        *StreamConfig
	sur      *Surroundings
	pedantic bool

	seen            []string // subjects of streams that are sources
	deliver, apiPre []string // prefixes of external sources
}

func (k *checker) stream(name string) *StreamConfig {
	if k.sur.Stream == nil {
		return nil
	}
	return k.sur.Stream(name)
}

// ValidName reports whether a stream or consumer may be called so.
func ValidName(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\r\n\f.*>\\/") }

func (k *checker) names() *Error {
	c := k.c
	if !ValidName(c.Name) {
		return invalid(`stream name is required and can not contain '.', '*', '>', '\', '/'`)
	}
	if len(c.Name) > maxName {
		return invalid("stream name is too long, maximum allowed is %d", maxName)
	}
	if len(c.Description) > maxDescription {
		return invalid("stream description is too long, maximum allowed is %d", maxDescription)
	}
	n := 0
	for key, v := range c.Metadata {
		n += len(key) + len(v)
	}
	if n > maxMetadata {
		return invalid("stream metadata exceeds maximum size of %d bytes", maxMetadata)
	}
	return nil
}

// numbers puts -1 where there is no limit.
func (k *checker) numbers() *Error {
	c := k.c
	if c.FirstSeq > MaxSequence {
		return invalid("first %s", sequenceTooHigh)
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Replicas > maxReplicas {
		return invalid("maximum replicas is %d", maxReplicas)
	}
	if c.Replicas < 0 {
		return NegativeReplicas.Error()
	}
	if err := unlimited(k, &c.MaxMsgs, "max_msgs"); err != nil {
		return err
	}
	if err := unlimited(k, &c.MaxMsgsPerSubject, "max_msgs_per_subject"); err != nil {
		return err
	}
	if err := unlimited(k, &c.MaxBytes, "max_bytes"); err != nil {
		return err
	}
	if err := unlimited(k, &c.MaxMsgSize, "max_msg_size"); err != nil {
		return err
	}
	return unlimited(k, &c.MaxConsumers, "max_consumers")
}

func unlimited[N int | int32 | int64](k *checker, n *N, name string) *Error {
	if *n > 0 || *n == -1 {
		return nil
	}
	if k.pedantic && *n < -1 {
		return pedanticError(name + " must be set to -1")
	}
	*n = -1
	return nil
}

func (k *checker) times() *Error {
	c, most := k.c, k.sur.MaxWindow
	if c.MaxAge < 0 {
		return invalid("max age can not be negative")
	}
	if c.MaxAge != 0 && c.MaxAge < shortest {
		return invalid("max age needs to be >= 100ms")
	}
	if c.DuplicateWindow == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		if err := k.defaultWindow(); err != nil {
			return err
		}
	}
	switch w := c.DuplicateWindow; {
	case w < 0:
		return invalid("duplicates window can not be negative")
	case c.MaxAge != 0 && w > c.MaxAge:
		return invalid("duplicates window can not be larger then max age")
	case most > 0 && w > most:
		return invalid("duplicates window can not be larger then server limit of %v", most)
	case w > 0 && w < shortest:
		return invalid("duplicates window needs to be >= 100ms")
	}
	return nil
}

// defaultWindow is the usual window, or less where server or age want less.
func (k *checker) defaultWindow() *Error {
	w := defaultWindow
	if most := k.sur.MaxWindow; most > 0 && w > most {
		if k.pedantic {
			return pedanticError("duplicate window limits are higher than current limits")
		}
		w = most
	}
	if age := k.c.MaxAge; age != 0 && age < w {
		if k.pedantic {
			return pedanticError("duplicate window cannot be bigger than max age")
		}
		w = age
	}
	k.c.DuplicateWindow = w
	return nil
}

// maxBytes applies what the account asks of the size.
func (k *checker) maxBytes() *Error {
	if k.sur.MaxBytesRequired && k.c.MaxBytes <= 0 {
		return MaxBytesRequired.Error()
	}
	if most := k.sur.MaxStreamBytes[k.c.Storage]; most > 0 && k.c.MaxBytes > most {
		return MaxStreamBytesExceeded.Error()
	}
	return nil
}

func (k *checker) placement() *Error {
	p := k.c.Placement
	if p == nil {
		return nil
	}
	if p.Cluster == "" && p.Tags == nil && p.Preferred == "" {
		k.c.Placement = nil
		return nil
	}
	if p.Preferred != "" {
		return invalid("preferred server not permitted in placement")
	}
	return nil
}
