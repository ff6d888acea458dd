package limit

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Rate is a budget of failed attempts: Burst at once, and one more each time
// Every has passed.
type Rate struct {
	Every time.Duration
	Burst int
}

// The defaults. One address alone cannot use up AcrossAddresses: its budget for
// one account comes back at a third of the pace.
var (
	defaultPerAccount      = Rate{Every: time.Minute, Burst: 5}       // 1,445 guesses on the first day
	defaultAcrossAddresses = Rate{Every: 20 * time.Second, Burst: 50} // 4,370 guesses on the first day, by any number of clients
	defaultPerAddress      = Rate{Every: 3 * time.Second, Burst: 20}
)

const (
	defaultMaxKeys = 1 << 16
	// minMaxKeys: a much smaller cache was seen to forget, in a flood of new
	// keys, even what is asked for all the time.
	minMaxKeys = 1 << 10
)

// Config says how much is allowed. The zero value of every field is a secure
// default; a Rate is given as a whole or not at all.
type Config struct {
	// PerAccount is for one account from one address; the default is 5 failures
	// at once, then one a minute.
	PerAccount Rate
	// AcrossAddresses is for one account from all addresses together, other
	// than those from which it has logged in lately. The default is 50 failures
	// at once, then one every 20 seconds. It should come back several times as
	// fast as PerAccount, or one client can delay the user everywhere else.
	AcrossAddresses Rate
	// PerAddress is for one client address over all accounts: an IPv4 address or
	// an IPv6 /64. All clients whose address is unknown share one budget. The
	// default is 20 failures at once, then one every 3 seconds.
	PerAddress Rate
	// MaxKeys bounds how many budgets of each sort are kept, and with it the
	// memory (some 300 bytes a budget); the default is 65,536, the least 1,024.
	MaxKeys int
	// Fold returns one text for all spellings that the wrapped authenticator
	// takes for one user name. If it kept apart what is one account, each
	// spelling would have a budget of its own; the opposite is harmless. The
	// default trims white space and folds case.
	Fold func(username string) string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// withDefaults fills what is zero and reports everything that is wrong.
func (c Config) withDefaults() (Config, error) {
	err := errors.Join(
		c.PerAccount.settle("PerAccount", defaultPerAccount),
		c.AcrossAddresses.settle("AcrossAddresses", defaultAcrossAddresses),
		c.PerAddress.settle("PerAddress", defaultPerAddress),
	)
	if c.MaxKeys == 0 {
		c.MaxKeys = defaultMaxKeys
	}
	if c.MaxKeys < minMaxKeys {
		err = errors.Join(err, fmt.Errorf("limit: MaxKeys is %d, want at least %d", c.MaxKeys, minMaxKeys))
	}
	if c.Fold == nil {
		c.Fold = fold
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, err
}

func (r *Rate) settle(name string, otherwise Rate) error {
	if *r == (Rate{}) {
		*r = otherwise
	}
	if r.Every <= 0 || r.Burst <= 0 {
		return fmt.Errorf("limit: %s is %d at once and one each %v, want both positive", name, r.Burst, r.Every)
	}
	return nil
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(r.Every), r.Burst) }
