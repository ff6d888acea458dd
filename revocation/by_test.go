package revocation_test

import (
	"testing"
	"time"

	"github.com/remuda-go/remuda/revocation"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// By names the entry that ends a token, of each scope, and none where none does.
func TestBy(t *testing.T) {
	t.Parallel()
	alice := aliceToken()
	alice.Tenant, alice.Session = "acme", store.ID{1}
	before, until := time.UnixMilli(5), time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		entry store.Entry
		dated bool
	}{
		"session":    {store.Entry{Scope: store.ScopeSession, Target: string(alice.Session[:])}, false},
		"subject":    {store.Entry{Scope: store.ScopeSubject, Target: alice.Subject, Tenant: alice.Tenant}, true},
		"tenant":     {store.Entry{Scope: store.ScopeTenant, Target: alice.Tenant}, true},
		"profile":    {store.Entry{Scope: store.ScopeProfile, Target: alice.Profile}, true},
		"key":        {store.Entry{Scope: store.ScopeKey, Target: alice.Key}, false},
		"everything": {store.Entry{Scope: store.ScopeEverything}, true},
	} {
		h := revocation.New(revocation.Config{Log: memstore.New(), Now: time.Now, StoreTime: time.Now})
		if scope, at := h.By(alice); scope != 0 || !at.IsZero() {
			t.Errorf("%s: by %v, %v before there is an entry", name, scope, at)
		}
		c.entry.ID, c.entry.Before, c.entry.Until, c.entry.At = store.ID{2}, before, until, before
		h.Add(c.entry)
		want := time.Time{}
		if c.dated {
			want = before
		}
		if scope, at := h.By(alice); scope.String() != name || !at.Equal(want) || !h.Revoked(alice) {
			t.Errorf("%s: by %v, %v", name, scope, at)
		}
		other := *aliceToken()
		other.Session, other.Started = store.ID{3}, 6
		other.Key, other.Tenant = "k2", "other"
		if scope, _ := h.By(&other); scope != 0 {
			t.Errorf("%s: another session by %v", name, scope)
		}
	}
}
