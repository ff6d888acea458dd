package web_test

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// Operators are told what clients are not.
func ExampleConfig_refused() {
	ctx := context.Background()
	ring, err := keyring.New(time.Now())
	if err != nil {
		log.Fatal(err)
	}
	manager, err := remuda.New(ctx, remuda.Config{
		Store: memstore.New(), Keys: ring, Issuer: origin, Profiles: []remuda.Profile{remuda.Web(), remuda.API()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close(ctx)
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "request_id" { // another one each time
			return slog.Attr{}
		}
		return a
	}}))
	handler, err := web.New(web.Config{
		Manager: manager, Keys: ring, Authenticator: passwords{}, Origins: []string{origin},
		Refused: func(r *http.Request, f *web.Refusal) {
			for _, step := range f.Steps {
				facts := append(step.Facts, slog.String("reason", string(step.Reason)), slog.String("request_id", f.RequestID))
				log.LogAttrs(r.Context(), slog.LevelInfo, "refused", facts...)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/auth/session", nil)
	req.Header.Set("Authorization", "Bearer something-else")
	handler.ServeHTTP(httptest.NewRecorder(), req)
	// Output: level=INFO msg=refused credential=bearer reason=malformed
}
