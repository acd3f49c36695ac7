package monitor

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// guard lets a request through to next only with the configured token or
// password. Without either everyone may look, as with nats-server.
func guard(o *Options, next http.Handler) http.Handler {
	if o.Token == "" && o.Password == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.admits(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="nats-broker monitor", charset="UTF-8"`)
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o *Options) admits(r *http.Request) bool {
	user, password, basic := r.BasicAuth()
	if o.Token != "" {
		given := password
		if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
			given = token
		}
		return subtle.ConstantTimeCompare([]byte(given), []byte(o.Token)) == 1
	}
	// Both are compared, so that the time taken does not tell which was wrong.
	userOK := o.User == "" || subtle.ConstantTimeCompare([]byte(user), []byte(o.User)) == 1
	return basic && o.VerifyPassword(o.Password, password) && userOK
}
