package sqlitestore_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness(sqlitestore.Config{}))
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, harness(sqlitestore.Config{})) }

// harness makes stores of a configuration, but for the path.
func harness(cfg sqlitestore.Config) storetest.Harness {
	var configs sync.Map // of the open stores
	return storetest.Harness{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			cfg := cfg
			cfg.Path = filepath.Join(tb.TempDir(), "sessions.db")
			s := open(tb, cfg)
			configs.Store(s, cfg)
			return s
		},
		Reopen: func(tb testing.TB, s store.Store) store.Store {
			tb.Helper()
			cfg, _ := configs.Load(s)
			if err := s.Close(); err != nil {
				tb.Fatalf("Close: %v", err)
			}
			return open(tb, cfg.(sqlitestore.Config))
		},
		Second: func(tb testing.TB, s store.Store) store.Store {
			tb.Helper()
			cfg, _ := configs.Load(s)
			return open(tb, cfg.(sqlitestore.Config))
		},
		Features: storetest.Features{Items: true, Erase: true, Log: true, Settles: true},
	}
}

// open opens a store that is closed with the test.
func open(tb testing.TB, cfg sqlitestore.Config) *sqlitestore.Store {
	tb.Helper()
	s, err := sqlitestore.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}
