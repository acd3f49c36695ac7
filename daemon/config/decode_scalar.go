package config

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

func decodeBool(d *decoder, at place, v *confparse.Value, into any) {
	b, ok := v.Bool()
	if !ok {
		d.mistyped(at, v)
		return
	}
	put(into, b)
}

func decodeInt(d *decoder, at place, v *confparse.Value, into any) {
	n, ok := d.number(at, v)
	if !ok || into == nil {
		return
	}
	*into.(*int) = int(n)
}

func decodeSize(d *decoder, at place, v *confparse.Value, into any) {
	if n, ok := d.number(at, v); ok {
		put(into, n)
	}
}

// number reads a whole number within the bounds of the option.
func (d *decoder) number(at place, v *confparse.Value) (int64, bool) {
	n, ok := v.Int()
	if !ok {
		d.mistyped(at, v)
		return 0, false
	}
	if b := at.opt.within; b != nil && (n < b.min || n > b.max) {
		switch {
		case n > b.max && b.max >= math.MaxInt32:
			d.fail(at, v.Span(), "%s value is too big: the largest is %d", at.label(), b.max)
		default:
			d.fail(at, v.Span(), "%s must be from %d to %d, found %d", at.label(), b.min, b.max, n)
		}
		return 0, false
	}
	return n, true
}

func decodeString(d *decoder, at place, v *confparse.Value, into any) {
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	if at.opt.check != nil {
		if wrong := at.opt.check(s); wrong != "" {
			d.fail(at, v.Span(), "%s", wrong)
			return
		}
	}
	put(into, s)
}

// decodeWord reads one of the option's words.
func decodeWord(d *decoder, at place, v *confparse.Value, into any) {
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	for _, w := range at.opt.Values {
		if w == s || at.opt.foldCase && strings.EqualFold(w, s) {
			if to, ok := into.(responseWord); ok {
				to.set(w)
			} else {
				put(into, w)
			}
			return
		}
	}
	err := d.fail(at, v.Span(), "%s must be %s, found %s", at.label(), at.opt.Kind.want(at.opt), found(at.opt, v))
	if near := closest(s, at.opt.Values); near != "" {
		err.WithHint("did you mean %q?", near)
	}
}

// decodeDuration reads a duration; a bare number is seconds, with a warning, as in nats-server.
func decodeDuration(d *decoder, at place, v *confparse.Value, into any) {
	if n, ok := v.Int(); ok {
		d.warn(v.Span(), "%s should be converted to a duration: write \"%ds\"", at.label(), n)
		put(into, time.Duration(n)*time.Second)
		return
	}
	decodeSpan(d, at, v, into)
}

// decodeSpan reads a duration that has to be written as one.
func decodeSpan(d *decoder, at place, v *confparse.Value, into any) {
	s, ok := v.Str()
	if !ok {
		err := d.fail(at, v.Span(), "%s must be %s, found %s", at.label(), at.opt.Kind.want(at.opt), found(at.opt, v))
		if n, isInt := v.Int(); isInt {
			err.WithHint("did you mean \"%ds\"?", n)
		}
		return
	}
	dur, err := time.ParseDuration(s)
	if err != nil {
		d.fail(at, v.Span(), "error parsing %s: %s", at.label(), durationProblem(s))
		return
	}
	if at.opt.check != nil {
		if wrong := at.opt.check(dur); wrong != "" {
			d.fail(at, v.Span(), "%s", wrong)
			return
		}
	}
	put(into, dur)
}

func durationProblem(s string) string {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return fmt.Sprintf("%q has no unit; write for example \"%ss\"", s, s)
	}
	return fmt.Sprintf("%q is not a duration; write for example \"500ms\", \"10s\" or \"2m\"", clip(s))
}

// decodeSeconds reads a timeout: a number of seconds, whole or not, or a duration.
func decodeSeconds(d *decoder, at place, v *confparse.Value, into any) {
	var dur time.Duration
	switch v.Kind() {
	case confparse.Int:
		n, _ := v.Int()
		dur = time.Duration(n) * time.Second
	case confparse.Float:
		f, _ := v.Float()
		dur = time.Duration(f * float64(time.Second))
	case confparse.String:
		s, _ := v.Str()
		var err error
		if dur, err = time.ParseDuration(s); err != nil {
			d.fail(at, v.Span(), "error parsing %s: %s", at.label(), durationProblem(s))
			return
		}
	default:
		d.mistyped(at, v)
		return
	}
	if at.opt.check != nil {
		if wrong := at.opt.check(dur); wrong != "" {
			d.warn(v.Span(), "%s", wrong)
		}
	}
	put(into, dur)
}

// highTimeout is nats-server's warning about an authentication timeout.
func highTimeout(v any) string {
	if dur := v.(time.Duration); dur > time.Minute {
		return fmt.Sprintf("timeout of %v (%f seconds) is high, consider keeping it under 60 seconds; a bare 1m is a million: write \"1m\"",
			dur, dur.Seconds())
	}
	return ""
}

// An address is where a listen option lands: it sets host and port of the block it is in.
type address struct {
	host *string
	port *int
}

func decodeAddress(d *decoder, at place, v *confparse.Value, into any) {
	host, port := "", 0
	switch v.Kind() {
	case confparse.Int:
		n, _ := v.Int()
		port = int(n)
	case confparse.String:
		s, _ := v.Str()
		h, p, err := net.SplitHostPort(s)
		if err != nil {
			d.fail(at, v.Span(), "could not parse address string %q: expected host:port", clip(s))
			return
		}
		n, err := strconv.Atoi(p)
		if err != nil {
			d.fail(at, v.Span(), "could not parse port %q", clip(p))
			return
		}
		host, port = h, n
	default:
		d.mistyped(at, v)
		return
	}
	if a, ok := into.(address); ok {
		*a.host, *a.port = host, port
	}
}

// decodePercent reads a weight or a sampling rate: 50 or "50%".
func decodePercent(d *decoder, at place, v *confparse.Value, into any) {
	var n int64
	switch v.Kind() {
	case confparse.Int:
		n, _ = v.Int()
	case confparse.String:
		s, _ := v.Str()
		for _, w := range at.opt.Values {
			if strings.EqualFold(strings.TrimSpace(s), w) {
				put(into, 0)
				return
			}
		}
		k, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
		if err != nil {
			d.fail(at, v.Span(), "%s must be %s, found %s", at.label(), percentForm, found(at.opt, v))
			return
		}
		n = int64(k)
	default:
		d.fail(at, v.Span(), "%s must be %s, found %s", at.label(), percentForm, found(at.opt, v))
		return
	}
	low := int64(0)
	if at.opt.within != nil {
		low = at.opt.within.min
	}
	if n < low || n > 100 {
		d.fail(at, v.Span(), "%s must be from %d to 100 percent, found %d", at.label(), low, n)
		return
	}
	put(into, int(n))
}

// decodeStoreSize reads a JetStream size: bytes, or a number with K, M, G or T, in powers of 1024, in quotes.
func decodeStoreSize(d *decoder, at place, v *confparse.Value, into any) {
	if n, ok := v.Int(); ok {
		put(into, n)
		return
	}
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	if s == "" {
		put(into, int64(0))
		return
	}
	unit := strings.IndexByte("KMGT", s[len(s)-1])
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
	if err != nil || unit < 0 {
		d.fail(at, v.Span(), "%s must be a size; in quotes it must end in K, M, G or T, found %q", at.label(), clip(s))
		return
	}
	put(into, n<<(10*(unit+1)))
}

// decodeDurationOrWord reads one of the option's words, or a duration.
func decodeDurationOrWord(d *decoder, at place, v *confparse.Value, into any) {
	if s, ok := v.Str(); ok {
		for _, w := range at.opt.Values {
			if strings.EqualFold(s, w) {
				return
			}
		}
	}
	decodeDuration(d, at, v, into)
}

// decodeSecretFile reads the file that a secret is in.
func decodeSecretFile(d *decoder, at place, v *confparse.Value, into any) {
	name, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	text, err := d.secrets(name)
	if err != nil {
		d.fail(at, v.Span(), "%s: %v", at.label(), err)
		return
	}
	if text == "" {
		d.fail(at, v.Span(), "%s: the file %s is empty", at.label(), name)
		return
	}
	put(into, text)
}

// percentForm is how a percentage is written.
const percentForm = `a percentage from 0 to 100, such as 50 or "50%"`
