package daemon

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// healthChecks makes all checks, in the order of their names' list.
func (d *Daemon) healthChecks(q *control.ChecksQuery, _ control.Peer) ([]control.HealthCheck, error) {
	if q.CertCritical > q.CertWarn || q.LimitWarn > q.LimitCritical || q.LimitCritical <= 0 || q.Peers < 0 {
		return nil, errors.New("the limits do not fit together: a warning comes before what is critical")
	}
	return []control.HealthCheck{
		d.checkState(), d.checkListeners(), d.checkCertificates(q, time.Now()), d.checkCluster(q), d.checkLeafs(), d.checkClients(q),
		d.checkConfiguration(time.Now()), d.checkDisk(q),
	}, nil
}

// severity orders the states of a check.
var severity = []string{control.CheckOK, control.CheckUnknown, control.CheckWarning, control.CheckCritical}

// worst notes a state of a part of a check.
func worst(c *control.HealthCheck, status string) {
	if slices.Index(severity, status) > slices.Index(severity, c.Status) {
		c.Status = status
	}
}

func healthCheck(name string) control.HealthCheck {
	return control.HealthCheck{Name: name, Status: control.CheckOK}
}

func (d *Daemon) checkState() control.HealthCheck {
	c := healthCheck("state")
	switch c.Detail = d.inState(); c.Detail {
	case stateRunning:
	case statePaused:
		c.Status, c.Detail = control.CheckWarning, "paused: no clients are let in until somebody resumes"
	default:
		c.Status = control.CheckCritical
	}
	return c
}

// checkListeners compares where the configuration says to listen with where somebody does.
func (d *Daemon) checkListeners() control.HealthCheck {
	c := healthCheck("listeners")
	o := d.active.Load().cfg.Options
	var open, missing []string
	for _, p := range having[listens](d) {
		have := p.listening()
		for _, l := range have {
			open = append(open, l.name+" "+l.listener.Addr().String())
		}
		for _, at := range p.places(o) {
			if at.at.port != 0 && !slices.ContainsFunc(have, func(l listening) bool { return l.name == at.name }) {
				missing = append(missing, at.name)
			}
		}
	}
	c.Figures = []control.Figure{{Name: "listeners", Value: float64(len(open))}}
	c.Detail = strings.Join(open, ", ")
	if len(missing) > 0 {
		c.Status, c.Detail = control.CheckCritical, "nobody listens for "+strings.Join(missing, ", ")
	}
	return c
}

// checkCertificates tells of the one that ends first.
func (d *Daemon) checkCertificates(q *control.ChecksQuery, now time.Time) control.HealthCheck {
	c := healthCheck("certificates")
	c.Detail = "none is in use"
	least := math.MaxFloat64
	for _, cert := range d.certificates() {
		days := math.Floor(cert.NotAfter.Sub(now).Hours() / 24)
		switch {
		case days < float64(q.CertCritical):
			worst(&c, control.CheckCritical)
		case days < float64(q.CertWarn):
			worst(&c, control.CheckWarning)
		}
		if days >= least {
			continue
		}
		least = days
		c.Detail = fmt.Sprintf("%s (%s) ends on %s, %s left", cert.Subject, cert.use, cert.NotAfter.UTC().Format(time.DateOnly), counted(uint64(max(days, 0)), "day"))
		if cert.NotAfter.Before(now) {
			c.Detail = fmt.Sprintf("%s (%s) ended on %s", cert.Subject, cert.use, cert.NotAfter.UTC().Format(time.DateOnly))
		}
		c.Figures = []control.Figure{{Name: "certificate_days", Value: days}}
	}
	return c
}

// checkCluster counts the servers that there is a route to.
func (d *Daemon) checkCluster(q *control.ChecksQuery) control.HealthCheck {
	c := healthCheck("cluster")
	if d.cluster.hub == nil {
		c.Detail = "the broker is in none"
		if q.Peers > 0 {
			c.Status = control.CheckCritical
		}
		return c
	}
	servers, _ := d.cluster.hub.Peers()
	routes := len(d.active.Load().cfg.Options.Cluster.Routes)
	want := q.Peers
	if want == 0 && routes > 0 {
		want = max(routes-1, 1) // this server may be one of them
	}
	c.Figures = []control.Figure{{Name: "peers", Value: float64(servers)}}
	c.Detail = fmt.Sprintf("%s, %d expected", counted(uint64(servers), "peer"), want)
	switch {
	case servers == 0 && want > 0:
		c.Status = control.CheckCritical
	case servers < want:
		c.Status = control.CheckWarning
	}
	return c
}

// checkLeafs asks for the remotes that this server dials.
func (d *Daemon) checkLeafs() control.HealthCheck {
	c := healthCheck("leafnodes")
	checks := d.leaf.checks()
	lost := 0
	for _, r := range checks {
		if !r.OK {
			lost++
			worst(&c, control.CheckCritical)
			c.Detail = r.Name + ": " + r.Detail
		}
	}
	if lost == 0 {
		c.Detail = counted(uint64(len(checks)), "remote")
	}
	c.Figures = []control.Figure{{Name: "leafnodes", Value: float64(d.leaf.links(""))}}
	return c
}

// checkClients compares connections with the limits that they meet first.
func (d *Daemon) checkClients(q *control.ChecksQuery) control.HealthCheck {
	c := healthCheck("clients")
	n := d.broker.NumClients()
	c.Detail = counted(uint64(n), "client")
	c.Figures = []control.Figure{{Name: "clients", Value: float64(n)}}
	most := 0.0
	near := func(what string, have, limit int) {
		if limit <= 0 {
			return
		}
		share := 100 * float64(have) / float64(limit)
		if share < most {
			return
		}
		most = share
		text := fmt.Sprintf("%s of %s %s", grouped(uint64(have)), grouped(uint64(limit)), what)
		switch {
		case share >= float64(q.LimitCritical):
			worst(&c, control.CheckCritical)
			c.Detail = text
		case share >= float64(q.LimitWarn):
			worst(&c, control.CheckWarning)
			c.Detail = text
		}
	}
	near("connections (max_connections)", n, d.broker.Options().MaxConnections)
	near("files that the process may open", n, int(min(d.limits.files, math.MaxInt32)))
	for _, a := range d.broker.Accounts() {
		near(fmt.Sprintf("connections of account %s", d.accountName(a.Name())), a.Clients(), a.Limits().Connections)
	}
	c.Figures = append(c.Figures, control.Figure{Name: "nearest_limit", Value: math.Round(most), Unit: "%"})
	return c
}

// checkConfiguration is about the last reload.
func (d *Daemon) checkConfiguration(now time.Time) control.HealthCheck {
	c := healthCheck("configuration")
	act := d.active.Load()
	c.Detail = configText(act)
	if problems := d.configProblems(); len(problems) > 0 {
		c.Status, c.Detail = control.CheckWarning, strings.Join(problems, "; ")
	}
	c.Figures = []control.Figure{{Name: "configuration_age", Value: math.Round(now.Sub(act.loaded).Seconds()), Unit: "s"}}
	return c
}

// checkDisk is about what streams are kept in.
func (d *Daemon) checkDisk(q *control.ChecksQuery) control.HealthCheck {
	c := healthCheck("disk")
	s := d.streamStatus()
	if s == nil {
		c.Detail = "no streams are kept"
		return c
	}
	c.Detail = fmt.Sprintf("%s, %s free", counted(uint64(s.Streams), "stream"), readable(int64(min(s.Free, math.MaxInt64))))
	c.Figures = []control.Figure{{Name: "disk_free", Value: float64(s.Free), Unit: "B"}, {Name: "stored", Value: float64(s.Storage), Unit: "B"}}
	for _, of := range []struct {
		what string
		have uint64
		most int64
	}{{"max_file_store", s.Storage, s.MaxStorage}, {"max_memory_store", s.Memory, s.MaxMemory}} {
		if of.most <= 0 {
			continue
		}
		share := 100 * float64(of.have) / float64(of.most)
		status := control.CheckOK
		switch {
		case share >= float64(q.LimitCritical):
			status = control.CheckCritical
		case share >= float64(q.LimitWarn):
			status = control.CheckWarning
		}
		if status != control.CheckOK {
			worst(&c, status)
			c.Detail = fmt.Sprintf("%.0f%% of %s is used", share, of.what)
		}
	}
	if w := d.lossWarning(); w != "" {
		worst(&c, control.CheckWarning)
		c.Detail = w
	}
	if problems := d.streamProblems(); len(problems) > 0 {
		c.Status, c.Detail = control.CheckCritical, strings.Join(problems, "; ")
	}
	return c
}
