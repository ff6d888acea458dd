package sqlitestore_test

import (
	"testing"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/web/webtest"
)

// Whole sessions over HTTP, with two nodes that have the file open.
func TestScenarios(t *testing.T) {
	t.Parallel()
	h := harness(sqlitestore.Config{PollOnly: true})
	webtest.Run(t, webtest.Stores{New: h.New, Second: h.Second, Profiles: []remuda.Profile{
		remuda.Web(), remuda.API(), remuda.Classic(), remuda.Stateless(), remuda.Local(),
	}})
}
