package keyring

import "context"

// Poll does once what Run does again and again.
func (r *Ring) Poll(ctx context.Context) error { return r.poll(ctx) }

// Advance is what Run does beside, whatever the source does.
func (r *Ring) Advance() { r.live.advance(r.live.cfg.Now()) }

// Open opens what stands in a sealed place.
func (m Master) Open(sealed []byte) ([]byte, error) { return m.open(sealed) }
