package sqlitestore_test

import (
	"testing"

	"github.com/remuda-go/remuda/driver/sqlitestore"
)

// A watch that does not notice what others find is not believed for long.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	w := sqlitestore.Silent()
	defer w.Close()
	for i := range 3 {
		if got := w.Every(); got != sqlitestore.IdleEvery {
			t.Fatalf("after %d unannounced commits followers look every %v", i, got)
		}
		w.Found()
	}
	if got := w.Every(); got != sqlitestore.PollEvery {
		t.Errorf("followers go on looking every %v", got)
	}
}

// Without a watch followers poll.
func TestNoWatch(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sqlitestore.Config{
		"not wanted": {Path: newPath(t), PollOnly: true},
		"no folder":  {Path: newPath(t) + "/missing/sessions.db"},
	} {
		w := sqlitestore.StartWatch(cfg, func() { t.Errorf("%s: told", name) })
		if got := w.Every(); got != sqlitestore.PollEvery {
			t.Errorf("%s: followers look every %v", name, got)
		}
		w.Close()
	}
}
