package keyring

import (
	"context"
	"time"
)

// Poll does once what Run does again and again.
func (r *Ring) Poll(ctx context.Context) error { return r.poll(ctx) }

// Advance is what Run does beside, whatever the source does.
func (r *Ring) Advance() { r.live.pass() }

// Open opens what stands in a sealed place.
func (m Master) Open(sealed []byte) ([]byte, error) { return m.open(sealed) }

// SetUptime lets tests say for how long the machine has been up.
func (cfg *Config) SetUptime(up func() (time.Duration, bool)) { cfg.uptime = up }
