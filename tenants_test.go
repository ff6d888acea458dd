package remuda_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
)

// byTenant gives the tenant "bank" its own profiles, and others that cannot be
// meant.
func byTenant(tenant, profile string) string {
	switch {
	case tenant == "bank" && profile == "api":
		return "strict"
	case tenant == "wrong":
		return "web" // by cookie
	case tenant == "none":
		return "local" // without a record
	case tenant == "unknown":
		return "no such"
	default:
		return ""
	}
}

var banks = map[string]bool{"bank": true}

// profileFor gives banks a stricter profile than the one that was asked for.
func profileFor(tenant, profile string) string {
	if profile == "web" && banks[tenant] {
		return "web-bank"
	}
	return profile
}

// TestProfileForBanks: what docs/tenants.md shows does what that page says.
func TestProfileForBanks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := remuda.Web()
		strict.Name = "web-bank"
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			cfg.Profiles, cfg.ProfileFor = append(cfg.Profiles, strict), profileFor
		})
		settle()
		for tenant, want := range map[string]string{"": "web", "shop": "web", "bank": "web-bank"} {
			g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "web", Subject: "alice", Tenant: tenant})
			if err != nil || g.Session.Profile != want {
				t.Errorf("tenant %q: %q, %v", tenant, g.Session.Profile, err)
			}
		}
	})
}

func TestProfileForTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := remuda.API()
		strict.Name, strict.Absolute, strict.Idle, strict.MaxSessions, strict.AtLimit = "strict", time.Hour, 20*time.Minute, 1, remuda.LimitRefuse
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			cfg.Profiles, cfg.ProfileFor = append(cfg.Profiles, strict), byTenant
		})
		settle()
		begin := func(tenant, subject string) (remuda.Grant, error) {
			return m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: subject, Tenant: tenant})
		}
		for _, tenant := range []string{"wrong", "none", "unknown"} {
			_, err := begin(tenant, "alice")
			wantErr(t, tenant, err, remuda.ErrRequest)
		}
		usual, err := begin("shop", "alice")
		if err != nil || usual.Session.Profile != "api" {
			t.Fatalf("%+v, %v", usual.Session, err)
		}
		g, err := begin("bank", "alice")
		if err != nil || g.Session.Profile != "strict" || g.Session.Expires.Sub(g.Session.StartedAt) != time.Hour {
			t.Fatalf("%+v, %v", g.Session, err)
		}
		_, err = begin("bank", "alice")
		wantErr(t, "a second session at the bank", err, remuda.ErrSessionLimit)
		if _, err := begin("shop", "alice"); err != nil {
			t.Errorf("the bank's cap counts at the shop: %v", err)
		}
		time.Sleep(25 * time.Minute)
		_, err = refresh(t, m[0], g)
		wantErr(t, "idle at the bank", err, remuda.ErrSessionExpired)
		if _, err := refresh(t, m[0], usual); err != nil {
			t.Errorf("idle at the shop: %v", err)
		}
	})
}

// TestHandOffToTenant: coming from another site gets nobody around the policy of
// their tenant.
func TestHandOffToTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := remuda.API()
		strict.Name, strict.Absolute, strict.Idle = "strict", time.Hour, 20*time.Minute
		m, _ := nodes(t, 1, func(_ int, cfg *remuda.Config) {
			cfg.Profiles, cfg.ProfileFor = append(cfg.Profiles, strict), byTenant
		})
		settle()
		g, err := m[0].Start(t.Context(), remuda.StartRequest{Profile: "api", Subject: "alice", Tenant: "bank"})
		if err != nil {
			t.Fatal(err)
		}
		const target, state = "https://shop.example", "a state of the browser"
		token, err := m[0].MintHandOff(t.Context(), remuda.MintHandOffRequest{Session: g.Session.ID, Target: target, StateHash: remuda.HandOffStateHash(state)})
		if err != nil {
			t.Fatal(err)
		}
		there, err := m[0].RedeemHandOff(t.Context(), remuda.RedeemHandOffRequest{Token: token.Reveal(), Target: target, State: state, Profile: "api"})
		if err != nil || there.Session.Profile != "strict" || there.Session.Tenant != "bank" {
			t.Errorf("%+v, %v", there.Session, err)
		}
	})
}

// TestTenantsApart: two tenants have a subject of the same name, and neither sees,
// counts or ends the other's sessions.
func TestTenantsApart(t *testing.T) {
	t.Attr("requirement", "ASVS-8.4.1")
	synctest.Test(t, func(t *testing.T) {
		m, _ := nodes(t, 2)
		settle()
		ctx := t.Context()
		of := map[string]remuda.Grant{}
		for _, tenant := range []string{"", "bank", "shop"} {
			for _, subject := range []string{"alice", "bank"} { // a subject that is named like a tenant
				g, err := m[0].Start(ctx, remuda.StartRequest{Profile: "api", Subject: subject, Tenant: tenant})
				if err != nil {
					t.Fatal(err)
				}
				of[tenant+"/"+subject] = g
			}
		}
		lives := func(what string, want ...string) {
			t.Helper()
			settle()
			left := map[string]bool{}
			for _, name := range want {
				left[name] = true
			}
			for name, g := range of {
				for i := range m {
					if _, err := authenticate(t, m[i], g); (err == nil) != left[name] {
						t.Errorf("%s: %s on node %d: %v", what, name, i, err)
					}
				}
			}
		}
		for _, tenant := range []string{"", "bank", "shop"} {
			n := 0
			for s, err := range m[0].Sessions(ctx, remuda.SessionsRequest{Subject: "alice", Tenant: tenant}) {
				if err != nil || s.Tenant != tenant || s.Subject != "alice" {
					t.Errorf("of tenant %q: %+v, %v", tenant, s, err)
				}
				n++
			}
			if n != 1 {
				t.Errorf("%d sessions in tenant %q", n, tenant)
			}
		}
		if n, err := m[0].Count(ctx, remuda.Selection{Tenant: "bank"}); err != nil || n != 2 {
			t.Errorf("the bank has %d sessions, %v", n, err)
		}
		if _, err := m[0].EndAll(ctx, remuda.EndAllRequest{Subject: "alice", Tenant: "bank"}); err != nil {
			t.Fatal(err)
		}
		lives("alice of the bank", "/alice", "/bank", "bank/bank", "shop/alice", "shop/bank")
		if _, err := m[0].EndAll(ctx, remuda.EndAllRequest{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		lives("alice of no tenant", "/bank", "bank/bank", "shop/alice", "shop/bank")
		if _, err := m[1].EndSelected(ctx, remuda.EndSelectedRequest{Selection: remuda.Selection{Tenant: "bank"}}); err != nil {
			t.Fatal(err)
		}
		lives("the bank", "/bank", "shop/alice", "shop/bank")
	})
}
