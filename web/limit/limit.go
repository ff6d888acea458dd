package limit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/web"
)

// familiarFor is how long an address stays familiar after the account's last
// login from it.
const familiarFor = 30 * 24 * time.Hour

var _ web.Authenticator = (*Authenticator)(nil)

// Authenticator asks another [web.Authenticator] as often as the limits allow.
// Make one with [New]. It is safe for concurrent use.
type Authenticator struct {
	next web.Authenticator
	cfg  Config
	mac  *mac.MAC

	addresses, accounts, pairs *otter.Cache[key, *bucket]
	familiar                   *otter.Cache[key, time.Time] // pairs: the last login
}

// New wraps an authenticator. It reports everything that is wrong with cfg.
func New(next web.Authenticator, cfg Config) (*Authenticator, error) {
	cfg, err := cfg.withDefaults()
	if next == nil {
		err = errors.Join(err, errors.New("limit: no authenticator to wrap"))
	}
	if err != nil {
		return nil, err
	}
	secret := make([]byte, mac.Size)
	_, _ = rand.Read(secret) // never fails
	a := &Authenticator{next: next, cfg: cfg, mac: mac.New(secret)}
	return a, a.makeCaches()
}

func (a *Authenticator) makeCaches() error {
	var errs [4]error
	options := &otter.Options[key, *bucket]{MaximumSize: a.cfg.MaxKeys}
	a.addresses, errs[0] = otter.New(options)
	a.accounts, errs[1] = otter.New(options)
	a.pairs, errs[2] = otter.New(options)
	a.familiar, errs[3] = otter.New(&otter.Options[key, time.Time]{MaximumSize: a.cfg.MaxKeys})
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	return nil
}

// Authenticate implements [web.Authenticator]. It returns a
// [*web.ThrottledError] without asking the wrapped authenticator where there is
// no budget, and otherwise what that returns.
func (a *Authenticator) Authenticate(ctx context.Context, c web.Credentials) (web.Identity, error) {
	account, address := a.accountKey(c), a.addressKey(c.Address)
	pair := a.pairKey(account, address)
	held, wait := a.hold(account, address, pair)
	if wait > 0 {
		return web.Identity{}, &web.ThrottledError{After: wait}
	}
	failed := true // also if what is called panics
	defer func() { held.settle(a.cfg.Now(), failed) }()
	id, err := a.next.Authenticate(ctx, c)
	failed = guessed(ctx, err)
	if err == nil && c.Address.IsValid() {
		a.familiar.Set(pair, a.cfg.Now())
	}
	return id, err
}

// guessed reports whether the attempt counts as a guess. An outage is nobody's
// fault; but a client that goes away before the answer is not asked whether
// that was on purpose.
func guessed(ctx context.Context, err error) bool {
	return errors.Is(err, web.ErrLoginFailed) || (err != nil && ctx.Err() != nil)
}

// hold takes a token from each bucket that applies, or from none and says how
// long to wait. The address comes first: a client without budget does not get
// to make buckets for accounts.
func (a *Authenticator) hold(account, address, pair key) (held holds, wait time.Duration) {
	now := a.cfg.Now()
	wait = held.add(now, a.addresses, address, a.cfg.PerAddress)
	if wait == 0 && !a.isFamiliar(pair, now) {
		wait = held.add(now, a.accounts, account, a.cfg.AcrossAddresses)
	}
	if wait == 0 {
		wait = held.add(now, a.pairs, pair, a.cfg.PerAccount)
	}
	if wait > 0 {
		held.settle(now, false)
	}
	return held, wait
}

func (a *Authenticator) isFamiliar(pair key, now time.Time) bool {
	last, ok := a.familiar.GetIfPresent(pair)
	return ok && now.Sub(last) < familiarFor
}

// holds are the buckets that an attempt holds a token of.
type holds []*bucket

// add holds a token of the bucket of key k, which is made if there is none.
func (h *holds) add(now time.Time, buckets *otter.Cache[key, *bucket], k key, r Rate) (wait time.Duration) {
	b, _ := buckets.ComputeIfAbsent(k, func() (*bucket, bool) { return newBucket(r), false })
	if wait := b.hold(now); wait > 0 {
		return wait
	}
	*h = append(*h, b)
	return 0
}

func (h holds) settle(now time.Time, failed bool) {
	for _, b := range h {
		b.settle(now, failed)
	}
}
