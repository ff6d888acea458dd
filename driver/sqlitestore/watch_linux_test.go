package sqlitestore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
)

// A write through another handle is noticed, also behind a symbolic link, and
// wakes those who sleep.
func TestWatchNoticesWrites(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	other := open(t, sqlitestore.Config{Path: path})
	told := make(chan struct{}, 10)
	w := sqlitestore.StartWatch(sqlitestore.Config{Path: link}, func() { told <- struct{}{} })
	defer w.Close()
	if got := w.Every(); got != sqlitestore.IdleEvery {
		t.Fatalf("nobody writes, and followers look every %v", got)
	}
	w.Found() // a doubt, which the next write removes
	add(t, other)
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Fatal("not told of a write")
	}
	if got := w.Every(); got != sqlitestore.PollEvery {
		t.Errorf("somebody writes, and followers look every %v", got)
	}
}
