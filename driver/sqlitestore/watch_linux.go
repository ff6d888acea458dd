package sqlitestore

import (
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchWrites calls noticed after a write to the WAL of a file, at most once in
// pollEvery. It returns what stops it, or nil if the system does not tell.
//
// Only inotify will do: where fsnotify has to open the files themselves, as with
// kqueue, closing them would drop the locks that SQLite holds (see creating).
func watchWrites(path string, noticed func()) (stop func()) {
	path, err := filepath.EvalSymlinks(path) // the WAL is beside the file itself
	if err != nil {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil // the user's instances are used up
	}
	if err := w.Add(filepath.Dir(path)); err != nil {
		_ = w.Close()
		return nil
	}
	wal, done := filepath.Base(path)+"-wal", make(chan struct{})
	pause, ended := time.NewTimer(0), make(chan struct{})
	go func() {
		defer close(done)
		defer pause.Stop()
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if filepath.Base(e.Name) != wal {
					continue
				}
				noticed()
				// What comes meanwhile, the kernel makes one of.
				pause.Reset(pollEvery)
				select {
				case <-pause.C:
				case <-ended:
				}
			case _, ok := <-w.Errors: // an overflow: something was written
				if !ok {
					return
				}
				noticed()
			}
		}
	}()
	return func() {
		close(ended)
		_ = w.Close()
		<-done
	}
}
