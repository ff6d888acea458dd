package app

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/remuda-go/remuda/server/internal/refusals"
	"github.com/remuda-go/remuda/web"
)

// openRefusals opens the file in which it is kept why requests were refused, if
// they are to be kept.
func (a *App) openRefusals(ctx context.Context) (err error) {
	if a.cfg.RefusalsKept == 0 {
		return nil
	}
	if err := ensureFolder(a.cfg.Refusals); err != nil {
		return fmt.Errorf("refusals: %w", err)
	}
	a.refusals, err = refusals.Open(ctx, refusals.Config{Path: a.cfg.Refusals, Keep: a.cfg.RefusalsKept, Log: a.log})
	if err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.refusals.Close() })
	return nil
}

// refused keeps why a request was refused.
func (a *App) refused(r *http.Request, f *web.Refusal) {
	if a.refusals != nil {
		a.refusals.Add(refusals.NewEntry(f, method(r), path(r.URL.Path).LogValue().String()))
	}
}

// unkept counts the refusals that were not kept.
func (a *App) unkept() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "remuda_refusals_dropped_total", Help: "Refusals that 'remuda explain' cannot explain: too many waited, or the file could not be written.",
	}, func() float64 {
		if a.refusals == nil {
			return 0
		}
		return float64(a.refusals.Dropped())
	})
}
