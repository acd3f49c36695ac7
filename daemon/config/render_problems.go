package config

import (
	"errors"
	"io"

	"github.com/nats-broker/nats-broker/confparse"
)

// Report writes the warnings and mistakes that [Load] returned, for people: each with its line and a caret, warnings
// first, in colour if colour is set.
func Report(w io.Writer, warns Warnings, err error, colour bool) {
	var all confparse.Errors
	for _, warn := range warns {
		e := *warn.Error
		e.Message = "warning: " + e.Message
		all = append(all, &e)
	}
	var errs confparse.Errors
	switch {
	case errors.As(err, &errs):
		all = append(all, errs...)
	case err != nil:
		all = append(all, &confparse.Error{Message: err.Error()})
	}
	// Whoever cannot write to w cannot be told.
	_ = all.Render(w, colour)
}

// A Problem is a mistake or a warning, for programs.
type Problem struct {
	File         string    `json:"file,omitempty"`
	Line         int       `json:"line,omitempty"`
	Column       int       `json:"column,omitempty"`
	Message      string    `json:"message"`
	Hint         string    `json:"hint,omitempty"`
	IncludedFrom []string  `json:"included_from,omitempty"` // file:line:column, the nearest first
	Notes        []Problem `json:"notes,omitempty"`
}

// Problems returns what [Load] returned as lists.
func Problems(warns Warnings, err error) (mistakes, warnings []Problem) {
	mistakes, warnings = []Problem{}, []Problem{}
	for _, w := range warns {
		warnings = append(warnings, problemOf(w.Error))
	}
	var errs confparse.Errors
	switch {
	case errors.As(err, &errs):
		for _, e := range errs {
			mistakes = append(mistakes, problemOf(e))
		}
	case err != nil:
		mistakes = append(mistakes, Problem{Message: err.Error()})
	}
	return mistakes, warnings
}

func problemOf(e *confparse.Error) Problem {
	p := placed(e.Span, e.Message)
	p.Hint = e.Hint
	for _, n := range e.Notes {
		p.Notes = append(p.Notes, placed(n.Span, n.Message))
	}
	return p
}

// placed makes a problem of a message and its place.
func placed(at confparse.Span, message string) Problem {
	pos := at.Start()
	p := Problem{File: pos.File, Line: pos.Line, Column: pos.Column, Message: message}
	for src := at.Source(); src != nil && !src.IncludedFrom().IsZero(); src = src.IncludedFrom().Source() {
		p.IncludedFrom = append(p.IncludedFrom, src.IncludedFrom().String())
	}
	return p
}
