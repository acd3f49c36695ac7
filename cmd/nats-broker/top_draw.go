package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// topHeaderLines is how many lines are above and below the connections.
const topHeaderLines = 8

// draw shows a look, with rates since the last tick, and in a terminal a line
// about the keys below it. Without a terminal the first look, which has no rates,
// is not shown.
func (t *top) draw(now *topSample) {
	t.shown = now
	if !t.screen {
		if now != t.last {
			fmt.Fprintln(t.out, renderTop(t.last, now, 0))
		}
		return
	}
	width, height := t.size()
	lines := strings.Split(renderTop(t.last, now, width), "\n")
	if t.problem != "" {
		lines[0] = clip("NO ANSWER since "+t.since.Format(time.TimeOnly)+"; what is below was true before", width)
	}
	lines = lines[:min(len(lines), max(height-1, 0))]
	var b strings.Builder
	b.WriteString("\x1b[H") // home; each line is cleared behind its text, the rest at the end
	for _, line := range lines {
		b.WriteString(line)
		b.WriteString("\x1b[K\r\n")
	}
	fmt.Fprintf(&b, "\x1b[J\x1b[%d;1H%s", height, clip(t.status(), width-1))
	io.WriteString(t.out, b.String())
}

// topKeys fits a terminal of 80 columns.
const topKeys = "q quit space pause n/b page j streams sort: p)ending t)o f)rom T/F bytes s)ubs"

// status is the last line of the screen.
func (t *top) status() string {
	switch {
	case t.problem != "":
		return "No answer: " + printable(t.problem) + " (still asking; q quits)"
	case t.paused:
		return "Paused: space goes on, q quits"
	}
	return topKeys
}

// renderTop makes the text of a look; lines are cut to width, if there is one.
func renderTop(before, now *topSample, width int) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	rate := ratesOf(before, now)
	add("%s  version %s  up %s", printable(now.Name), printable(cmp.Or(now.Build.Version, now.Version)), printable(now.Uptime))
	add("  cpu %.1f%%  memory %s  subscriptions %s  slow consumers %d  routes %d", now.CPU, topBytes(float64(now.Mem)), topCount(float64(now.Subscriptions)), now.Slow, now.Routes)
	add("  in   %10s msgs  %10s   %8s msgs/s  %10s/s", topCount(float64(now.InMsgs)), topBytes(float64(now.InBytes)), topCount(rate.inMsgs), topBytes(rate.inBytes))
	add("  out  %10s msgs  %10s   %8s msgs/s  %10s/s", topCount(float64(now.OutMsgs)), topBytes(float64(now.OutBytes)), topCount(rate.outMsgs), topBytes(rate.outBytes))
	if s := now.streams; s != nil {
		add("  streams %s  messages %s  files %s  memory %s  consumers %s", topCount(float64(s.Streams)), topCount(float64(s.Messages)),
			topBytes(float64(s.Storage)), topBytes(float64(s.Memory)), topCount(float64(s.Consumers)))
	}
	add("")
	switch {
	case !now.query.streams:
		lines = append(lines, connectionLines(before, now, width)...)
	case now.streams == nil:
		add("There is no JetStream.")
	default:
		lines = append(lines, streamLines(before, now)...)
	}
	for i, l := range lines {
		if l = strings.TrimRight(l, " "); width > 0 {
			l = clip(l, width)
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}

// connectionLines are the table of connections.
func connectionLines(before, now *topSample, width int) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	last := now.query.offset + len(now.conns)
	add("Connections %d-%d of %d, by %s", min(now.query.offset+1, last), last, now.total, now.query.sort)
	shown := fittingColumns(width, now.query.sort)
	lines = append(lines, topLine(shown, topHeads[:]))
	old := make(map[uint64]*topConn, len(before.conns))
	for i := range before.conns {
		old[before.conns[i].CID] = &before.conns[i]
	}
	for i := range now.conns {
		c := &now.conns[i]
		r := connRates(old[c.CID], c, now.at.Sub(before.at))
		address, name := net.JoinHostPort(c.IP, strconv.Itoa(c.Port)), printable(c.Name)
		if name == "" && !shown[topAddress] {
			name = address
		}
		lines = append(lines, topLine(shown, []string{address, strconv.FormatUint(c.CID, 10), name, strconv.Itoa(c.Subs), topBytes(float64(c.Pending)),
			topCount(r.outMsgs), topCount(r.inMsgs), topBytes(r.outBytes), topBytes(r.inBytes), shortRTT(c.RTT), printable(c.Idle), printable(c.Uptime)}))
	}
	return lines
}

// topRates are differences per second. From and to are the broker's view: in
// is what it received.
type topRates struct{ inMsgs, outMsgs, inBytes, outBytes float64 }

func ratesOf(before, now *topSample) topRates {
	per := perSecond(now.Now.Sub(before.Now))
	return topRates{per(before.InMsgs, now.InMsgs), per(before.OutMsgs, now.OutMsgs), per(before.InBytes, now.InBytes), per(before.OutBytes, now.OutBytes)}
}

// connRates are zero for a connection that was not among those seen before.
func connRates(before, now *topConn, d time.Duration) topRates {
	if before == nil {
		return topRates{}
	}
	per := perSecond(d)
	return topRates{per(before.InMsgs, now.InMsgs), per(before.OutMsgs, now.OutMsgs), per(before.InBytes, now.InBytes), per(before.OutBytes, now.OutBytes)}
}

func perSecond(d time.Duration) func(before, now int64) float64 {
	return func(before, now int64) float64 {
		if d <= 0 || now < before {
			return 0
		}
		return float64(now-before) / d.Seconds()
	}
}

// topCount writes a number in at most four figures: 12.3k.
func topCount(n float64) string { return scale(n, 1000, []string{"", "k", "M", "G", "T"}) }

// topBytes writes an amount in binary units.
func topBytes(n float64) string { return scale(n, 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"}) }

func scale(n, base float64, units []string) string {
	i := 0
	for n >= base && i < len(units)-1 {
		n /= base
		i++
	}
	switch {
	case i == 0 || n >= 100:
		return fmt.Sprintf("%.0f%s", n, units[i])
	case n >= 10:
		return fmt.Sprintf("%.1f%s", n, units[i])
	}
	return fmt.Sprintf("%.2f%s", n, units[i])
}

// shortRTT cuts a round trip time to three figures.
func shortRTT(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil || d == 0 {
		return "-"
	}
	step := time.Nanosecond
	for d/step >= 1000 {
		step *= 10
	}
	return d.Round(step).String()
}

// clip cuts text to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// printable replaces what would move a terminal's cursor: names come from
// clients.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}
