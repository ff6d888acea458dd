package remuda

import (
	"context"
	"time"
)

// MoveData lets tests of a login over an anonymous session do what it does.
func (m *Manager) MoveData(ctx context.Context, from, to SessionID) error {
	return m.moveData(ctx, from, to)
}

// SetUptime lets tests say for how long the machine has been up.
func (cfg *Config) SetUptime(up func() (time.Duration, bool)) { cfg.uptime = up }
