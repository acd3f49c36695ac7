package monitor

import (
	"html/template"
	"net/http"
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

var rootPage = template.Must(template.New("root").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>nats-broker monitor</title>
<link rel="icon" href="{{.Base}}/ui/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{{.Base}}/ui/root.css">
</head>
<body>
<main>
<h1><img src="{{.Base}}/ui/icon.svg" alt="" width="28" height="28"> nats-broker</h1>
<ul>
{{- range .Links}}
<li><a href="{{$.Base}}{{.Path}}">{{.Title}}</a> <code>{{.Path}}</code> <span>{{.About}}</span></li>
{{- end}}
</ul>
</main>
</body>
</html>
`))

func serveRoot(w http.ResponseWriter, base string) {
	setUIHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = rootPage.Execute(w, map[string]any{"Base": base, "Links": rootLinks}) // fails only when the reader is gone
}
