package logging

import (
	"strings"
	"testing"
)

func TestParseLevel(t *testing.T) {
	for lv := Trace; lv <= Fatal; lv++ {
		if got, err := ParseLevel(strings.ToUpper(lv.String())); err != nil || got != lv {
			t.Errorf("%v: %v, %v", lv, got, err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), "trace, debug, info") {
		t.Errorf("an unknown level: %v", err)
	}
}

// TestSwitches checks -D and -V, which are switches and not a scale.
func TestSwitches(t *testing.T) {
	for _, c := range []struct{ debug, trace bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		o, _ := stderrPipe(t)
		o.Debug, o.Trace = c.debug, c.trace
		log := newManager(t, o).Logger("broker")
		if log.Enabled(Debug) != c.debug || log.Enabled(Trace) != c.trace || !log.Enabled(Info) {
			t.Errorf("%+v: debug %v, trace %v, info %v", c, log.Enabled(Debug), log.Enabled(Trace), log.Enabled(Info))
		}
	}
}

// TestLevelsLive follows one subsystem through configuration, live change, reload and reset.
func TestLevelsLive(t *testing.T) {
	o, _ := stderrPipe(t)
	m := newManager(t, o)
	broker, auth := m.Logger("broker"), m.Logger("auth")
	child := broker.With(Uint(FieldClientID, 1))
	check := func(what string, l *Logger, lv Level) {
		t.Helper()
		if got := m.Levels()[l.Subsystem()]; got != lv || !l.Enabled(lv) || lv > Trace && l.Enabled(lv-1) {
			t.Errorf("%s: %s is at %v, want %v", what, l.Subsystem(), got, lv)
		}
	}
	check("at start", broker, Info)
	if err := m.SetLevel("broker", Trace); err != nil {
		t.Fatal(err)
	}
	check("set live", broker, Trace)
	check("set live, derived logger", child, Trace)
	check("set live, others", auth, Info)

	o.Debug, o.Levels = true, map[string]Level{"auth": Warn}
	change(t, m, o)
	check("a reload keeps what was set live", broker, Trace)
	check("configured for one", auth, Warn)
	check("made after the reload", m.Logger("cluster"), Debug)

	if err := m.ResetLevel("broker"); err != nil {
		t.Fatal(err)
	}
	check("reset", broker, Debug)
	if err := m.SetLevel("*", Error); err != nil {
		t.Fatal(err)
	}
	check("all", auth, Error)
	check("all", broker, Error)
	if err := m.SetLevel("brokr", Info); err == nil || !strings.Contains(err.Error(), "auth, broker, cluster") {
		t.Errorf("an unknown subsystem: %v", err)
	}
}

// TestDisabledCostsNothing is the promise to the data path.
func TestDisabledCostsNothing(t *testing.T) {
	o, _ := stderrPipe(t)
	log := newManager(t, o).Logger("broker").With(String(FieldAccount, "$G"))
	subject := "a.b.c"
	if n := testing.AllocsPerRun(1000, func() {
		log.Trace("<<- [PUB]", String(FieldSubject, subject), Uint(FieldClientID, 7), Err(nil))
		log.Debug("x")
		log.Event(Debug, SlowConsumer, "y", Int(FieldCount, 3))
	}); n != 0 {
		t.Errorf("%v allocations for lines that are off", n)
	}
}

func BenchmarkDisabled(b *testing.B) {
	log := Discard()
	b.ReportAllocs()
	for b.Loop() {
		log.Trace("<<- [PUB]", String(FieldSubject, "a.b"), Uint(FieldClientID, 7))
	}
}

func TestDiscard(t *testing.T) {
	log := Discard().With(String("A", "b"))
	log.Error("nobody reads this")
	log.Event(Fatal, ConnectionPanic, "nor this")
	if log.Enabled(Fatal) {
		t.Error("the discarding logger claims to write")
	}
}
