package monitor

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
)

// rootLinks are the endpoints that the root page names.
var rootLinks = []struct{ Path, Title, About string }{
	{"/ui/", "Dashboard", "the broker at a glance"},
	{"/varz", "General", "identity, configuration and counters"},
	{"/jsz", "JetStream", "streams and consumers"},
	{"/connz", "Connections", "who is connected, and what they do"},
	{"/accountz", "Accounts", "names; ?acc= shows one in detail"},
	{"/accstatz", "Account Stats", "traffic by account"},
	{"/subsz", "Subscriptions", "the subscription index; ?subs=1 lists"},
	{"/routez", "Routes", "the other servers of the cluster"},
	{"/leafz", "LeafNodes", "leaf node connections"},
	{"/gatewayz", "Gateways", "connections to other clusters"},
	{"/raftz", "Raft Groups", "replicated state"},
	{"/healthz", "Health Probe", "ready to serve?"},
	{"/metrics", "Metrics", "for Prometheus"},
	{"/debug/vars", "Expvar", "the Go runtime's memory statistics"},
}

// The page in front of the list of links, and behind it; every %s is the base path.
const (
	rootBegin = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>nats-broker monitor</title>
<link rel="icon" href="%[1]s/ui/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="%[1]s/ui/root.css">
</head>
<body>
<main>
<h1><img src="%[1]s/ui/icon.svg" alt="" width="28" height="28"> nats-broker</h1>
<ul>
`
	rootLine = `<li><a href="%s">%s</a> <code>%s</code> <span>%s</span></li>
`
	rootEnd = `</ul>
</main>
</body>
</html>
`
)

// serveRoot writes the page by hand: a package of templates would keep every method of
// every type in the binary.
func serveRoot(w http.ResponseWriter, base string) {
	setUIHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	base = html.EscapeString((&url.URL{Path: base}).EscapedPath())
	fmt.Fprintf(w, rootBegin, base) // fails only when the reader is gone, as what follows
	for _, l := range rootLinks {
		fmt.Fprintf(w, rootLine, base+l.Path, html.EscapeString(l.Title), l.Path, html.EscapeString(l.About))
	}
	fmt.Fprint(w, rootEnd)
}
