package daemon

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// describeSystemServices adds to an account what it imports of the system account
// without saying so, and to the system account what it exports to all. What an account
// says itself of the same subject is shown instead.
func describeSystemServices(account, system string, info *monitor.AccountInfo) {
	services := systemServices(account, system)
	if account == system {
		services = services[len(services)-1:] // its users have no need of the others
		for _, e := range systemExports() {
			if !slices.ContainsFunc(info.Exports, func(x monitor.AccountExport) bool { return covers(&x, e.Subject) }) {
				info.Exports = append(info.Exports, monitor.AccountExport{Subject: e.Subject, Type: "service", ResponseType: responseKind(e)})
			}
		}
	}
	for _, s := range services {
		if !slices.ContainsFunc(info.Imports, func(i monitor.AccountImport) bool { return i.LocalSubject == s.Local }) {
			info.Imports = append(info.Imports, monitor.AccountImport{
				Subject: s.Subject, Account: system, To: s.Local, LocalSubject: s.Local, Type: "service", Share: s.Share,
			})
		}
	}
}

// covers reports whether an export is a service that holds a subject.
func covers(x *monitor.AccountExport, subj string) bool {
	return x.Type == "service" && subject.IsSubset(subj, x.Subject)
}

func responseKind(e broker.ServiceExport) string {
	if e.Streamed {
		return "Streamed"
	}
	return "Singleton"
}
