package remuda

import (
	"time"

	"github.com/remuda-go/remuda/revocation"
)

// Decision is what came of a request, for counting.
type Decision uint8

// The decisions.
const (
	DecisionAccepted    Decision = iota // by token and revocation log, or by the token alone
	DecisionLookedUp                    // accepted after a look into the store, with liveness LiveStore
	DecisionChecked                     // accepted after a look into the store, since the log was cut
	DecisionServed                      // accepted blindly while the log was cut (OutageServe)
	DecisionDenied                      // refused since the log was cut (OutageDeny)
	DecisionInvalid                     // refused: not a token of ours
	DecisionExpired                     // refused: past its time
	DecisionEnded                       // refused: ended
	DecisionUnavailable                 // refused: the store did not answer
	decisions
)

// Decisions lists all of them.
func Decisions() []Decision {
	list := make([]Decision, decisions)
	for i := range list {
		list[i] = Decision(i)
	}
	return list
}

// String returns the name used in metrics.
func (d Decision) String() string {
	return name(d, "accepted", "looked_up", "checked", "served", "denied", "invalid", "expired", "ended", "unavailable")
}

// Stats is what a manager tells of itself.
type Stats struct {
	// Decisions counts what came of [Manager.Authenticate] since the start.
	Decisions [decisions]uint64
	// Clock is by how much this machine's clock is behind the time by which sessions
	// are judged (ahead, if negative). Beyond the leeway somebody has set it, or the
	// store's, while the process ran.
	Clock time.Duration
	// Log is what is known of the revocation log; nil where no profile has
	// liveness LiveLog.
	Log *LogStats
}

// LogStats is what a manager knows of the revocation log.
type LogStats struct {
	revocation.Stats
	Staleness    time.Duration // of the node's view
	MaxStaleness time.Duration // Config.MaxStaleness
	Degraded     bool          // the view is older than that
}

// Stats returns the present figures. It asks nobody.
func (m *Manager) Stats() Stats {
	s := Stats{Clock: m.clock.wrong()}
	for i := range s.Decisions {
		s.Decisions[i] = m.counters.total(Decision(i))
	}
	if v := m.revoked; v != nil {
		now := m.clock.own()
		s.Log = &LogStats{
			Stats: v.horizon.Stats(), Staleness: v.horizon.Staleness(now),
			MaxStaleness: v.staleness, Degraded: !v.horizon.Fresh(now),
		}
	}
	return s
}
