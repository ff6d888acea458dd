package sqlitestore_test

import (
	"testing"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web/webtest"
)

// Whole sessions over HTTP, with two nodes that have the file open.
func TestScenarios(t *testing.T) {
	t.Parallel()
	h := harness(sqlitestore.Config{PollOnly: true})
	calm := func(s store.Store) store.Store {
		s.(*sqlitestore.Store).Calm()
		return s
	}
	var profiles []remuda.Profile // all
	if raceEnabled {              // which would take minutes
		profiles = []remuda.Profile{remuda.Web(), remuda.API(), remuda.Classic(), remuda.Stateless(), remuda.Local()}
	}
	webtest.Run(t, webtest.Stores{
		Profiles: profiles,
		New:      func(tb testing.TB) store.Store { tb.Helper(); return calm(h.New(tb)) },
		Second: func(tb testing.TB, first store.Store) store.Store {
			tb.Helper()
			return calm(h.Second(tb, first))
		},
	})
}
