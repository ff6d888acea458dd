package sim

import (
	"context"
	"time"
)

// PlayOurs plays a case against managers. It must be called in a bubble; settle
// is called whenever time has passed.
func PlayOurs(ctx context.Context, c *Case, seed uint64, sessions int, settle func()) (Result, error) {
	srv, err := newOurs(ctx, c, time.Now)
	if err != nil {
		return Result{}, err
	}
	w := &World{pass: func(d time.Duration) {
		time.Sleep(d)
		settle()
	}}
	return play(w, srv, c, seed, sessions), nil
}
