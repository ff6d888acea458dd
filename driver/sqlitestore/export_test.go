package sqlitestore

import (
	"context"
	"math"
	"time"
)

// Exec runs SQL on the writing connection, in a transaction of the writer.
func (s *Store) Exec(ctx context.Context, query string) error {
	return s.write(ctx, "exec", func(ctx context.Context, c *writeConn) error {
		_, err := c.ExecContext(ctx, query)
		return err
	})
}

// Fail is a write that fails in the middle of its transaction.
func (s *Store) Fail(ctx context.Context, err error) error {
	return s.write(ctx, "fail", func(context.Context, *writeConn) error { return err })
}

// Ask reads one value on the writing connection.
func (s *Store) Ask(ctx context.Context, query string) (string, error) {
	answer := make(chan string, 2)
	err := s.write(ctx, "ask", func(ctx context.Context, c *writeConn) error {
		var text string
		if err := c.QueryRowContext(ctx, query).Scan(&text); err != nil {
			return err
		}
		answer <- text
		return nil
	})
	if err != nil {
		return "", err
	}
	return <-answer, nil
}

// The statements whose plans are tested.
const (
	ListSQL       = listSQL
	SweepSQL      = sweepSQL
	SweepItemsSQL = sweepItemsSQL
	FollowSQL     = followSQL
	SettleSQL     = settleSQL
	TruncateSQL   = truncateSQL
)

// PollEvery is how often a follower polls.
const PollEvery = pollEvery

// Migrations are the steps of the schema.
func Migrations() ([]string, error) { return migrations() }

// IdleEvery is how often a follower polls while nobody seems to write.
const IdleEvery = idleEvery

// Calm makes those who follow the log look as often as while nobody writes, and
// no more: in a bubble of testing/synctest nobody tells them of a write, and an
// hour passes in a moment.
func (s *Store) Calm() {
	w := s.following.watch
	w.stop = func() {}
	w.missed.Store(math.MinInt32)
}

// Watch is what tells followers that somebody writes.
type Watch struct{ w *watch }

// StartWatch watches the file of a configuration.
func StartWatch(cfg Config, tell func()) Watch { return Watch{startWatch(cfg, tell)} }

// Silent is a watch that never notices anything.
func Silent() Watch {
	w := startWatch(Config{PollOnly: true}, nil)
	w.stop = func() {}
	return Watch{w}
}

func (w Watch) Every() time.Duration { return w.w.every() }
func (w Watch) Found()               { w.w.found() }
func (w Watch) Close()               { w.w.close() }
