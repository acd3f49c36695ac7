package monitor

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// serveDebugVars shows what Go's expvar shows: the command line and the memory
// statistics. Secrets given on the command line are masked.
func serveDebugVars(_ *Monitor, w http.ResponseWriter, _ *query) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	vars := struct {
		CommandLine []string          `json:"cmdline"`
		MemStats    *runtime.MemStats `json:"memstats"`
	}{MaskArguments(os.Args), &mem}
	b, err := json.Marshal(vars)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(b)
}

var (
	// secretFlags are the flags whose value is a secret: -pass, --auth …
	secretFlags = lazily(`^--?(pass|password|auth|token)(=.*)?$`)
	// userinfo is the credentials part of a URL.
	userinfo = lazily(`([a-z0-9+.-]+://)[^/@\s,]+@`)
)

// lazily compiles an expression when it is first needed, which costs a start less.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

const masked = "[REDACTED]"

// MaskArguments returns a copy of args with secrets replaced.
func MaskArguments(args []string) []string {
	shown := make([]string, len(args))
	hideNext := false
	for i, a := range args {
		switch {
		case hideNext:
			a, hideNext = masked, false
		case secretFlags().MatchString(a):
			if name, _, ok := strings.Cut(a, "="); ok {
				a = name + "=" + masked
			} else {
				hideNext = true
			}
		}
		shown[i] = userinfo().ReplaceAllString(a, "${1}"+masked+"@")
	}
	return shown
}
