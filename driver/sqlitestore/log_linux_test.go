package sqlitestore_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
)

// BenchmarkIdleFollow is what it costs a process to follow a log in which nothing
// happens: the share of one core that it takes, beside that of a ticker which
// only wakes as often.
func BenchmarkIdleFollow(b *testing.B) {
	b.Run("ticker", func(b *testing.B) {
		idle(b, func(ctx context.Context) {
			tick := time.NewTicker(sqlitestore.PollEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
			}
		})
	})
	b.Run("follow", func(b *testing.B) {
		s := open(b, sqlitestore.Config{Path: newPath(b)})
		idle(b, func(ctx context.Context) {
			for range s.Follow(ctx, "", time.Now) { // until ctx ends
			}
		})
	})
}

// idle measures a process that does nothing but work, for b.N seconds.
func idle(b *testing.B, work func(ctx context.Context)) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(ctx)
	}()
	used, begun := cpuTime(b), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(100*(cpuTime(b)-used).Seconds()/time.Since(begun).Seconds(), "cpu-percent")
	cancel()
	<-ended
}

// cpuTime is what this process has spent so far.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
