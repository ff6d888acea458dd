package sqlitestore_test

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/remuda-go/remuda/store"
)

var owner = store.Owner{Tenant: "acme", Subject: "alice"}

func newRecord() store.Record {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := store.Record{
		Subject: owner.Subject, Tenant: owner.Tenant, Profile: "web", Gen: 1,
		IdleExpires: now.Add(time.Hour), Expires: now.Add(2 * time.Hour),
		Version: newVersion(), Blob: make([]byte, 100),
	}
	_, _ = rand.Read(r.ID[:])
	return r
}

func newVersion() (v store.Version) {
	_, _ = rand.Read(v[:])
	return v
}

func next(r store.Record) store.Record {
	r.Version = newVersion()
	r.Gen++
	return r
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "sessions.db")
}

func create(tb testing.TB, s store.Store, r store.Record) store.Record {
	tb.Helper()
	if err := s.Create(tb.Context(), r); err != nil {
		tb.Fatalf("Create: %v", err)
	}
	return r
}

func get(tb testing.TB, s store.Store, id store.ID) store.Record {
	tb.Helper()
	r, err := s.Get(tb.Context(), id)
	if err != nil {
		tb.Fatalf("Get: %v", err)
	}
	return r
}

// listed counts the records of owner.
func listed(tb testing.TB, s store.Store) (n int) {
	tb.Helper()
	for _, err := range s.List(tb.Context(), owner, store.ID{}) {
		if err != nil {
			tb.Fatalf("List: %v", err)
		}
		n++
	}
	return n
}

func isSentinel(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
}
