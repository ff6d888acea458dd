package limit_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/limit"
)

// users is an authenticator that knows alice and counts.
type users struct {
	asked  atomic.Int64
	before func(context.Context) error
}

func (u *users) Authenticate(ctx context.Context, c web.Credentials) (web.Identity, error) {
	u.asked.Add(1)
	if u.before != nil {
		if err := u.before(ctx); err != nil {
			return web.Identity{}, err
		}
	}
	name := strings.ToLower(strings.TrimSpace(c.Username + c.Subject))
	if c.Password != "right" || name != "alice" && name != "mallory" {
		return web.Identity{}, web.ErrLoginFailed
	}
	return web.Identity{Subject: name}, nil
}

var (
	home = netip.MustParseAddr("192.0.2.1")
	away = netip.MustParseAddr("198.51.100.7")
)

func alice(password string, from netip.Addr) web.Credentials {
	return web.Credentials{Username: "alice", Password: password, Address: from}
}

// fixture has no clock of its own: tests run in a synctest bubble.
type fixture struct {
	*testing.T
	*limit.Authenticator
	users *users
}

func setup(t *testing.T, cfg limit.Config) *fixture {
	t.Helper()
	u := &users{}
	a, err := limit.New(u, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{T: t, Authenticator: a, users: u}
}

// The outcomes of an attempt.
const (
	ok        = "ok"
	failed    = "failed"
	throttled = "throttled"
)

func (f *fixture) try(c web.Credentials) (outcome string, after time.Duration) {
	f.Helper()
	before := f.users.asked.Load()
	_, err := f.Authenticate(f.Context(), c)
	var limited *web.ThrottledError
	switch {
	case err == nil:
		return ok, 0
	case errors.Is(err, web.ErrLoginFailed):
		return failed, 0
	case errors.As(err, &limited):
		if f.users.asked.Load() != before {
			f.Error("a throttled attempt was passed on")
		}
		if limited.After <= 0 {
			f.Errorf("throttled for %v", limited.After)
		}
		return throttled, limited.After
	}
	f.Errorf("error %v", err)
	return "", 0
}

func (f *fixture) want(c web.Credentials, times int, want string) {
	f.Helper()
	for i := range times {
		if got, after := f.try(c); got != want {
			f.Fatalf("attempt %d of %d of %q from %v: %s (after %v), want %s", i+1, times, c.Username+c.Subject, c.Address, got, after, want)
		}
	}
}

func TestAccount(t *testing.T) {
	t.Attr("requirement", "ASVS-6.3.1")
	for _, name := range []string{"alice", "nobody"} { // the same for both
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setup(t, limit.Config{})
				c := web.Credentials{Username: name, Password: "wrong", Address: home}
				f.want(c, 5, failed)
				got, after := f.try(c)
				if got != throttled || after != time.Minute {
					t.Fatalf("the sixth: %s, %v", got, after)
				}
				f.want(c, 10, throttled) // asking costs nothing
				time.Sleep(after - time.Millisecond)
				f.want(c, 1, throttled)
				time.Sleep(time.Millisecond)
				f.want(c, 1, failed)
				f.want(c, 1, throttled)
				time.Sleep(time.Hour) // never more than the burst
				f.want(c, 5, failed)
				f.want(c, 1, throttled)
			})
		})
	}
}

// TestWaitAsTold follows the advice many times: it is always enough.
func TestWaitAsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{PerAccount: limit.Rate{Every: 7 * time.Second / 3, Burst: 3}})
		f.want(alice("wrong", home), 3, failed)
		for range 2000 {
			time.Sleep(time.Second / 7)
			got, after := f.try(alice("wrong", home))
			if got == failed {
				continue
			}
			time.Sleep(after)
			f.want(alice("wrong", home), 1, failed)
		}
	})
}

// TestSuccess: logging in costs nothing and buys nothing.
func TestSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		f.want(alice("right", home), 1000, ok)
		f.want(alice("wrong", home), 4, failed)
		f.want(alice("right", home), 10, ok)
		f.want(alice("wrong", home), 1, failed)
		f.want(alice("right", home), 1, throttled)
	})
}

// TestOwnAccount: whoever guesses between logins to an account of their own has
// no more guesses for it.
func TestOwnAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		own := web.Credentials{Username: "mallory", Password: "right", Address: away}
		for i := range 20 {
			f.want(web.Credentials{Username: fmt.Sprint("victim", i), Password: "wrong", Address: away}, 1, failed)
			if i < 19 {
				f.want(own, 1, ok)
			}
		}
		f.want(own, 1, throttled)
		f.want(web.Credentials{Username: "victim", Password: "wrong", Address: away}, 1, throttled)
	})
}

// TestSpellings: all that may be one account have one budget.
func TestSpellings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		for _, name := range []string{"alice", "ALICE", " alice\t", "aLiCe"} {
			f.want(web.Credentials{Username: name, Password: "wrong", Address: home}, 1, failed)
		}
		f.want(web.Credentials{Subject: "alice", Password: "wrong", Address: home}, 1, failed) // step-up
		f.want(web.Credentials{Username: "Alice", Password: "wrong", Address: home}, 1, throttled)
		f.want(web.Credentials{Subject: "alice", Password: "right", Address: home}, 1, throttled)
		f.want(web.Credentials{Username: "alice2", Password: "wrong", Address: home}, 1, failed)

		// Of another tenant it is another account.
		f = setup(t, limit.Config{})
		f.want(web.Credentials{Subject: "alice", Tenant: "bank", Password: "wrong", Address: home}, 5, failed)
		f.want(web.Credentials{Subject: "alice", Tenant: "bank", Password: "wrong", Address: home}, 1, throttled)
		f.want(web.Credentials{Subject: "alice", Password: "wrong", Address: away}, 1, failed)
		f.want(web.Credentials{Subject: "alice", Tenant: "shop", Password: "wrong", Address: away}, 1, failed)

		f = setup(t, limit.Config{Fold: func(s string) string { return strings.ReplaceAll(s, ".", "") }})
		f.want(web.Credentials{Username: "al.ice", Password: "wrong", Address: home}, 5, failed)
		f.want(web.Credentials{Username: "a.lice", Password: "wrong", Address: home}, 1, throttled)
	})
}

func TestAddress(t *testing.T) {
	tests := map[string]struct {
		a, b string
		same bool
	}{
		"IPv4":           {"192.0.2.1", "192.0.2.1", true},
		"IPv4 neighbour": {"192.0.2.1", "192.0.2.2", false},
		"IPv4 in IPv6":   {"192.0.2.1", "::ffff:192.0.2.1", true},
		"mapped alike":   {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		"same /64":       {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		"other /64":      {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"zone":           {"fe80::1%eth0", "fe80::1%eth1", true},
		"unknown":        {"", "", true},
		"unknown, known": {"", "0.0.0.0", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setup(t, limit.Config{})
				a, _ := netip.ParseAddr(test.a)
				b, _ := netip.ParseAddr(test.b)
				for i := range 20 {
					f.want(web.Credentials{Username: fmt.Sprint("user", i), Password: "wrong", Address: a}, 1, failed)
				}
				f.want(alice("right", a), 1, throttled)
				if got, after := f.try(alice("right", b)); (got == throttled) != test.same || test.same && after != 3*time.Second {
					t.Errorf("from %v: %s, %v", b, got, after)
				}
				time.Sleep(3 * time.Second)
				f.want(alice("right", a), 1, ok)
			})
		})
	}
}

// attack fails once from each of n addresses.
func (f *fixture) attack(n int, want string) {
	f.Helper()
	for i := range n {
		from := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		f.want(alice("wrong", from), 1, want)
	}
}

// TestDistributed: a botnet has one budget for an account, and does not keep
// its owner out where they have logged in before.
func TestDistributed(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.2.2")
	t.Attr("requirement", "ASVS-2.4.1")
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		f.want(alice("right", home), 1, ok)
		f.attack(50, failed)
		f.want(alice("right", away), 1, throttled)
		f.want(alice("right", home), 10, ok)
		f.want(alice("wrong", home), 1, failed)
		time.Sleep(20 * time.Second)
		f.want(alice("right", away), 1, ok)
		f.attack(1, failed)
		f.attack(1, throttled)
		f.want(alice("right", away), 1, ok) // familiar by now
		f.want(web.Credentials{Username: "mallory", Password: "right", Address: away}, 1, ok)

		time.Sleep(30 * 24 * time.Hour) // no longer familiar
		f.attack(50, failed)
		f.want(alice("right", home), 1, throttled)
	})
}

// TestFamiliarFailures at the user's own address use up nothing elsewhere.
func TestFamiliarFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{AcrossAddresses: limit.Rate{Every: time.Hour, Burst: 1}})
		f.want(alice("right", home), 1, ok)
		f.want(alice("wrong", home), 5, failed)
		f.want(alice("right", away), 1, ok)
	})
}

// TestOneAddressCannotDelay: one client that never stops does not use up what
// the account has elsewhere.
func TestOneAddressCannotDelay(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.4.4")
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		for range 24 * 60 * 6 {
			f.try(alice("wrong", away))
			time.Sleep(10 * time.Second)
		}
		f.want(alice("right", home), 1, ok)
	})
}

// TestUnknownAddress is never familiar.
func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		f.want(alice("right", netip.Addr{}), 1, ok)
		f.attack(50, failed)
		f.want(alice("right", netip.Addr{}), 1, throttled)
	})
}

// TestAtOnce: as many guesses under way as there are tokens, and no more.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		f.users.before = func(context.Context) error { time.Sleep(time.Second); return nil }
		var through, refused atomic.Int64
		guess := func() {
			_, err := f.Authenticate(t.Context(), alice("wrong", home))
			var limited *web.ThrottledError
			switch {
			case errors.Is(err, web.ErrLoginFailed):
				through.Add(1)
			case errors.As(err, &limited) && limited.After == time.Second: // others are under way
				refused.Add(1)
			default:
				t.Error(err)
			}
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(guess)
		}
		wg.Wait()
		if f.users.asked.Load() != 5 || through.Load() != 5 || refused.Load() != 95 {
			t.Errorf("%d guesses went through, %d were refused", through.Load(), refused.Load())
		}
		f.want(alice("right", home), 1, throttled)
	})
}

// TestNotAGuess: only what could be a guess costs something.
func TestNotAGuess(t *testing.T) {
	outage := errors.New("the disk is on fire")
	tests := map[string]struct {
		before func(context.Context) error
		ctx    func(context.Context) context.Context
		costs  bool
	}{
		"outage":          {func(context.Context) error { return outage }, same, false},
		"throttled":       {func(context.Context) error { return &web.ThrottledError{After: 1} }, same, false},
		"wrapped":         {func(context.Context) error { return fmt.Errorf("directory: %w", web.ErrLoginFailed) }, same, true},
		"gone":            {context.Context.Err, gone, true},
		"gone, but right": {nil, gone, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setup(t, limit.Config{})
				f.users.before = test.before
				for range 5 {
					_, _ = f.Authenticate(test.ctx(t.Context()), alice("right", home))
				}
				f.users.before = nil
				want := ok
				if test.costs {
					want = throttled
				}
				f.want(alice("right", home), 1, want)
			})
		})
	}
}

func same(ctx context.Context) context.Context { return ctx }

func gone(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestPanic gives the token back to nobody, and holds none for ever.
func TestPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, limit.Config{})
		f.users.before = func(context.Context) error { panic("a bug") }
		for range 5 {
			func() {
				defer func() { _ = recover() }()
				_, _ = f.Authenticate(t.Context(), alice("right", home))
			}()
		}
		f.users.before = nil
		f.want(alice("right", home), 1, throttled)
		time.Sleep(time.Hour)
		f.want(alice("wrong", home), 5, failed)
	})
}

// TestBackwards: a clock that goes back gives nothing away.
func TestBackwards(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	f := setup(t, limit.Config{Now: func() time.Time { return now }})
	for range 5 {
		f.want(alice("wrong", home), 1, failed)
		now = now.Add(-time.Hour)
	}
	f.want(alice("right", home), 1, throttled)
}

// TestBounded: a flood of names and addresses leaves no more than the bound,
// and what is often met is kept through it.
func TestBounded(t *testing.T) {
	t.Parallel()
	const most = 1024
	now := time.Unix(1e9, 0)
	f := setup(t, limit.Config{MaxKeys: most, Now: func() time.Time { return now }})
	f.want(alice("wrong", home), 5, failed)
	for i := range 8 * most {
		c := web.Credentials{Username: fmt.Sprint("user", i), Password: "wrong"}
		c.Address = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		f.want(c, 1, failed)
		f.want(alice("right", home), 1, throttled)
	}
	if n := f.Buckets(); n > 3*most {
		t.Errorf("%d buckets are kept, want at most %d", n, 3*most)
	}
}

// TestRefusedMakesNoBuckets: a client without budget fills no memory.
func TestRefusedMakesNoBuckets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	f := setup(t, limit.Config{Now: func() time.Time { return now }})
	for i := range 1000 {
		f.try(web.Credentials{Username: fmt.Sprint("user", i), Password: "wrong", Address: away})
	}
	if n := f.Buckets(); n != 1+20+20 {
		t.Errorf("%d buckets, want 41", n)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	f := setup(t, limit.Config{MaxKeys: 1024, Now: func() time.Time { return now }})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				from := netip.AddrFrom4([4]byte{10, byte(i), byte(j >> 8), byte(j)})
				_, err := f.Authenticate(t.Context(), alice([]string{"right", "wrong"}[j%2], from))
				var limited *web.ThrottledError
				if err != nil && !errors.Is(err, web.ErrLoginFailed) && !errors.As(err, &limited) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := limit.New(nil, limit.Config{
		PerAccount:      limit.Rate{Every: time.Second},
		AcrossAddresses: limit.Rate{Burst: 1},
		PerAddress:      limit.Rate{Every: -1, Burst: 1},
		MaxKeys:         1023,
	})
	if err == nil {
		t.Fatal("New accepted everything")
	}
	for _, part := range []string{"PerAccount", "AcrossAddresses", "PerAddress", "MaxKeys", "wrap"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	a, err := limit.New(&users{}, limit.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = a.Authenticate(b.Context(), alice("right", home))
	}
}
