package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/remuda-go/remuda/web"
)

// Authenticate implements [web.Authenticator]. The subject is the user name, at
// login and at step-up; the claim "name" is too.
//
// Every refusal looks up one name, computes one Argon2 hash and returns
// [web.ErrLoginFailed]: for a wrong password, an unknown user, a name that no
// user can have, and a password that is empty or too long. Only a hash made
// with lower parameters by an older version takes another time, until its
// user's next login stores it anew. Where too many hashes are being computed
// the call waits, at most as long as ctx allows.
func (d *Directory) Authenticate(ctx context.Context, c web.Credentials) (web.Identity, error) {
	name, named := claimedName(c)
	text, found, err := d.lookup(ctx, name)
	if err != nil {
		return web.Identity{}, fmt.Errorf("directory: authenticate: %w", err)
	}
	stored := d.decoy
	if found {
		if stored, err = parsePHC(text); err != nil {
			return web.Identity{}, fmt.Errorf("directory: authenticate: the stored hash of %s: %w", name, err)
		}
	}
	// An unacceptable password is hashed all the same, cut to what is bounded.
	password, acceptable := bounded(c.Password)
	match, err := d.hasher.verify(ctx, stored, password)
	if err != nil {
		return web.Identity{}, fmt.Errorf("directory: authenticate: %w", err)
	}
	if !match || !named || !found || !acceptable {
		return web.Identity{}, web.ErrLoginFailed
	}
	if stored.weakerThan(d.hasher.cost) {
		d.rehash(ctx, name, text, password)
	}
	return web.Identity{Subject: name, AMR: []string{"pwd"}, Claims: map[string]any{"name": name}}, nil
}

// claimedName returns the one name that the credentials claim. Where it is not
// one that a user can have, it returns a name that no user has, to look up.
func claimedName(c web.Credentials) (name string, ok bool) {
	switch {
	case (c.Username == "") == (c.Subject == ""):
		return "", false
	case c.Username != "":
		return foldName(c.Username)
	}
	// A subject comes from a session: it is compared as it is.
	if !validName(c.Subject) {
		return "", false
	}
	return c.Subject, true
}

func (d *Directory) lookup(ctx context.Context, name string) (hash string, found bool, err error) {
	err = d.db.QueryRowContext(ctx, "SELECT hash FROM users WHERE username = ? AND void = 0", name).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return hash, err == nil, err
}

// rehash stores the password with today's parameters, unless somebody has
// changed it meanwhile. The user has logged in already: a failure only means
// that the next login tries again.
func (d *Directory) rehash(ctx context.Context, name, old, password string) {
	p, err := d.hasher.hash(ctx, password)
	if err != nil {
		return
	}
	_, err = d.db.ExecContext(ctx, "UPDATE users SET hash = ?3 WHERE username = ?1 AND hash = ?2", name, old, p.String())
	_ = err // see above
}
