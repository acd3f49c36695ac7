package config

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Redacted stands where a secret would.
const Redacted = "[REDACTED]"

// Format writes a decoded value of the option the way it would be written in a file; secrets are masked. value is what
// the Options hold: a string, bool, number, duration or list.
func (o *Option) Format(value any) string {
	if o.Secret {
		return mask(value)
	}
	return format(o, value)
}

// mask hides a value but says whether there is one. URLs keep their host.
func mask(value any) string {
	switch v := value.(type) {
	case string:
		if v == "" {
			return `""`
		}
	case []*url.URL:
		list := make([]string, len(v))
		for i, u := range v {
			list[i] = RedactURL(u.String())
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return Redacted
}

// RedactURL hides user and password of a URL, if it has them.
func RedactURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return s
	}
	if ok {
		scheme += "://"
	}
	return scheme + Redacted + rest[at:]
}

func format(o *Option, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		if o.Kind == Size {
			return FormatSize(v)
		}
		return strconv.FormatInt(v, 10)
	case uint16:
		return tls.VersionName(v)
	case time.Duration:
		return FormatDuration(v)
	case HandshakeFirst:
		switch {
		case !v.Enabled:
			return "false"
		case v.FallbackDelay == 0:
			return "true"
		}
		return quote(FormatDuration(v.FallbackDelay))
	case []string:
		list := make([]string, len(v))
		for i, s := range v {
			list[i] = quote(s)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case []time.Duration:
		list := make([]string, len(v))
		for i, d := range v {
			list[i] = FormatDuration(d)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case []uint16:
		list := make([]string, len(v))
		for i, id := range v {
			list[i] = tls.CipherSuiteName(id)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case []tls.CurveID:
		var list []string
		for _, id := range v {
			for _, c := range curves {
				if c.id == id {
					list = append(list, c.name)
				}
			}
		}
		return "[" + strings.Join(list, ", ") + "]"
	case map[string]string:
		var list []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, quote(k)+": "+quote(v[k]))
		}
		return "{" + strings.Join(list, ", ") + "}"
	case map[string]bool:
		var list []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, quote(k)+": "+strconv.FormatBool(v[k]))
		}
		return "{" + strings.Join(list, ", ") + "}"
	case SubjectRules:
		return v.String()
	case ResponseRule:
		if !v.Defined {
			return "false"
		}
		return fmt.Sprintf("{max: %d, expires: %s}", v.Max, quote(FormatDuration(v.Expires)))
	case Compression:
		if len(v.RTTThresholds) == 0 {
			return v.Mode
		}
		return "{mode: " + v.Mode + ", rtt_thresholds: " + format(o, v.RTTThresholds) + "}"
	case Latency:
		if !v.Defined {
			return "none"
		}
		return fmt.Sprintf("{subject: %s, sampling: %d}", quote(v.Subject), v.Sampling)
	case []MapDestination:
		list := make([]string, len(v))
		for i, d := range v {
			list[i] = fmt.Sprintf("{destination: %s, weight: %d", quote(d.Subject), d.Weight)
			if d.Cluster != "" {
				list[i] += ", cluster: " + quote(d.Cluster)
			}
			list[i] += "}"
		}
		return "[" + strings.Join(list, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// String writes the rules as a block, or "everything".
func (r SubjectRules) String() string {
	var parts []string
	if r.Allow != nil {
		parts = append(parts, "allow: "+format(nil, r.Allow))
	}
	if r.Deny != nil {
		parts = append(parts, "deny: "+format(nil, r.Deny))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// quote puts a string in quotes where the dialect needs it.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == '/':
		case i > 0 && (r >= '0' && r <= '9' || r == '.' || r == '-'):
		default:
			return strconv.Quote(s)
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "include":
		return strconv.Quote(s)
	}
	return s
}

// FormatSize writes bytes with the largest unit that divides them.
func FormatSize(n int64) string {
	units := []string{"", "KB", "MB", "GB", "TB"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return strconv.FormatInt(n, 10) + units[i]
}

// FormatDuration writes a duration without zero parts: 2m, not 2m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
