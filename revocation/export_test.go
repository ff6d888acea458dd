package revocation

import "github.com/remuda-go/remuda/store"

// Sweep passes once over everything that is held.
func (h *Horizon) Sweep() {
	for range shards {
		h.sweep()
	}
}

// Any reports whether a question looks at entries wider than a session.
func (h *Horizon) Any() bool { return h.wide.any() }

// Take puts a batch into effect as if the log had yielded it.
func (h *Horizon) Take(b store.Batch) { h.take(&b) }

const (
	MaxSilence = maxSilence
	LastWait   = lastWait
	Margin     = margin
)

var ErrSilent = errSilent
