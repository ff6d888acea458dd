package event

import (
	"context"
	"log/slog"
)

// NewSlog returns a sink that writes each event as one log line, at level warn
// where somebody should look, and at level info otherwise. It calls the
// logger's handler before Emit returns: put a [Queue] in front of one that may
// block.
func NewSlog(log *slog.Logger) Sink { return &slogSink{log: log} }

type slogSink struct{ log *slog.Logger }

// Emit implements [Sink].
func (s *slogSink) Emit(e Event) {
	s.log.LogAttrs(context.Background(), level(&e), "event", attributes(&e)...)
}

// level is warn for what a person should look into.
func level(e *Event) slog.Level {
	switch e.Kind {
	case RefreshReused, RefreshSuspect, RefreshForged, StoreRolledBack, ClockSet, LoginThrottled:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// attributes leaves out what is empty.
func attributes(e *Event) []slog.Attr {
	list := make([]slog.Attr, 0, 14)
	list = append(list, slog.String("kind", string(e.Kind)), slog.Time("at", e.Time))
	for _, a := range []struct{ key, value string }{
		{"subject", e.Subject},
		{"tenant", e.Tenant},
		{"actor", e.Actor},
		{"session", e.Session},
		{"profile", e.Profile},
		{"reason", e.Reason},
		{"class", e.Class},
		{"parent", e.Parent},
		{"target", e.Target},
		{"user_agent", e.UserAgent},
		{"network", e.Network},
		{"request_id", e.RequestID},
	} {
		if a.value != "" {
			list = append(list, slog.String(a.key, a.value))
		}
	}
	if e.Gen != 0 {
		list = append(list, slog.Uint64("gen", uint64(e.Gen)))
	}
	if e.Reported {
		list = append(list, slog.Bool("reported", true))
	}
	return list
}

// Multi returns a sink that passes each event to all of the given ones, in
// their order. Nil ones are left out.
func Multi(sinks ...Sink) Sink {
	var m multi
	for _, s := range sinks {
		if s != nil {
			m = append(m, s)
		}
	}
	return m
}

type multi []Sink

// Emit implements [Sink].
func (m multi) Emit(e Event) {
	for _, s := range m {
		s.Emit(e)
	}
}
