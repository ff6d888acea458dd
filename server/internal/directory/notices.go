package directory

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

var _ web.Disowner = (*Directory)(nil)

// maxEmail is the longest address (RFC 5321 section 4.5.3.1.3).
const maxEmail = 254

// SetEmail sets where a user is written to; "" means nowhere. It returns [ErrNotFound] or
// [ErrInvalid], wrapped, or another error if it could not be stored.
func (d *Directory) SetEmail(ctx context.Context, username, email string) error {
	if err := CheckEmail(email); err != nil {
		return fmt.Errorf("directory: set e-mail address: %w", err)
	}
	return d.update(ctx, "set e-mail address", username, "UPDATE users SET email = ?2 WHERE username = ?1", email)
}

// CheckEmail returns [ErrInvalid], wrapped, for what is no address; "" is none.
func CheckEmail(email string) error {
	if email == "" {
		return nil
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmail || strings.ContainsAny(email, "\r\n\x00") {
		return fmt.Errorf("%w: an e-mail address is written alice@example.com", ErrInvalid)
	}
	return nil
}

// Disown implements [web.Disowner]: the password is good for nothing until another is
// set. A login answers as to a wrong one.
func (d *Directory) Disown(ctx context.Context, n remuda.Notice) error {
	err := d.update(ctx, "void password", n.Subject, "UPDATE users SET void = 1 WHERE username = ?1")
	if errors.Is(err, ErrNotFound) {
		return nil // erased meanwhile
	}
	return err
}

// ResetPassword implements [web.Disowner].
func (d *Directory) ResetPassword(ctx context.Context, subject, tenant, password string) error {
	return d.ChangePassword(ctx, subject, tenant, password)
}

func (d *Directory) update(ctx context.Context, what, username, query string, args ...any) error {
	name, _ := foldName(username)
	n, err := affected(d.db.ExecContext(ctx, query, append([]any{name}, args...)...))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("directory: %s of %s: %w", what, username, err)
	}
	return nil
}

// Devices that have not been used for so long are new again.
const deviceMemory = 400 * 24 * time.Hour

// maxDevices bounds how many devices of a user are remembered.
const maxDevices = 50

// NoteDevice notes that a user has signed in from a device, by a coarse name, and reports
// whether it was not known before. Of somebody who has none yet no device is new.
func (d *Directory) NoteDevice(ctx context.Context, username, device string) (isNew bool, err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("directory: note device: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("directory: note device: %w", err), tx.Rollback())
		}
	}()
	now := time.Now()
	var known, others int
	if _, err := tx.ExecContext(ctx, "DELETE FROM devices WHERE username = ? AND seen_at < ?", username, now.Add(-deviceMemory).UnixMilli()); err != nil {
		return false, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce(sum(name = ?2), 0), count(*) FROM devices WHERE username = ?1", username, device).Scan(&known, &others)
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO devices (username, name, seen_at) VALUES (?1, ?2, ?3)
		ON CONFLICT (username, name) DO UPDATE SET seen_at = ?3`, username, device, now.UnixMilli()); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM devices WHERE username = ?1 AND name NOT IN
		(SELECT name FROM devices WHERE username = ?1 ORDER BY seen_at DESC LIMIT ?2)`, username, maxDevices); err != nil {
		return false, err
	}
	return known == 0 && others > 0, tx.Commit()
}
