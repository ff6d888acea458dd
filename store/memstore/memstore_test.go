package memstore_test

import (
	"testing"

	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/store/storetest"
)

func harness() storetest.Harness {
	return storetest.Harness{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			s := memstore.New()
			tb.Cleanup(func() { _ = s.Close() })
			return s
		},
		Features: storetest.Features{Items: true, Erase: true, Log: true, Settles: true},
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness())
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, harness()) }
