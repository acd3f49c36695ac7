package daemon

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// describeSystemServices adds to an account what it imports of the system account
// without saying so, and to the system account what it exports to all. What an account
// says itself of the same subject is shown instead.
func describeSystemServices(account, system string, info *monitor.AccountInfo) {
	services := systemServices(account, system)
	if account == system {
		services = services[len(services)-1:] // its users have no need of the others
		for _, e := range systemExports() {
			if !slices.ContainsFunc(info.Exports, func(x monitor.AccountExport) bool { return x.Subject == e.Subject }) {
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

func responseKind(e broker.ServiceExport) string {
	if e.Streamed {
		return "Streamed"
	}
	return "Singleton"
}
