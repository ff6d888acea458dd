package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/web"
)

var _ web.Disowner = (*Directory)(nil)

// SetEmail sets where a user is written to, and that it is nowhere else; "" means nowhere
// at all. It returns [ErrNotFound] or [ErrInvalid], wrapped, or another error if it could
// not be stored.
func (d *Directory) SetEmail(ctx context.Context, username, email string) error {
	if err := CheckEmail(email); err != nil {
		return fmt.Errorf("directory: set e-mail address: %w", err)
	}
	name, _ := foldName(username)
	return d.inTx(ctx, "set e-mail address of "+username, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM addresses WHERE username = ?", name); err != nil {
			return err
		}
		return exists(affected(tx.ExecContext(ctx, "UPDATE users SET email = ?2 WHERE username = ?1", name, email)))
	})
}

// CheckEmail returns [ErrInvalid], wrapped, for what is no address; "" is none.
func CheckEmail(email string) error {
	if email != "" && !web.ValidEmail(email) {
		return fmt.Errorf("%w: an e-mail address is written alice@example.com", ErrInvalid)
	}
	return nil
}

// addressMemory is for how long an address that was changed goes on getting notices, and
// can be put back.
const addressMemory = remuda.DefaultNoticeLife

// ChangeEmail makes an address that somebody has confirmed the user's. The one before it
// goes on getting notices for three days, and may be put back by one of them. It returns
// [ErrNotFound], wrapped, or another error if it could not be stored.
func (d *Directory) ChangeEmail(ctx context.Context, username, email string) error {
	now := time.Now()
	return d.inTx(ctx, "change e-mail address of "+username, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM addresses WHERE until <= ?", now.UnixMilli()); err != nil {
			return err
		}
		// The number of a row says which came first: the one after it is no older.
		if _, err := tx.ExecContext(ctx, `INSERT INTO addresses (username, email, until)
			SELECT username, email, ?3 FROM users WHERE username = ?1 AND email NOT IN ('', ?2)`,
			username, email, now.Add(addressMemory).UnixMilli()); err != nil {
			return err
		}
		return exists(affected(tx.ExecContext(ctx, "UPDATE users SET email = ?2 WHERE username = ?1", username, email)))
	})
}

// Addresses returns where a user is to be written to: the address, if there is one, and
// those that it has taken the place of within three days.
func (d *Directory) Addresses(ctx context.Context, username string) ([]string, error) {
	username, _ = foldName(username)
	list, err := texts(d.db.QueryContext(ctx, `SELECT email FROM users WHERE username = ?1 AND email != ''
		UNION SELECT email FROM addresses WHERE username = ?1 AND until > ?2`, username, time.Now().UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("directory: addresses of %s: %w", username, err)
	}
	return list, nil
}

// Disown implements [web.Disowner]: the password is good for nothing until another is
// set; a login answers as to a wrong one. The address that the notice went to is the
// user's again, and whatever has taken its place is nothing any longer: neither gets
// notices, nor does a link that went there work.
func (d *Directory) Disown(ctx context.Context, n remuda.Notice) error {
	err := d.inTx(ctx, "disown, for "+n.Subject, func(tx *sql.Tx) error {
		if err := putBack(ctx, tx, &n); err != nil {
			return err
		}
		return exists(affected(tx.ExecContext(ctx, "UPDATE users SET void = 1 WHERE username = ?1", n.Subject)))
	})
	if errors.Is(err, ErrNotFound) {
		return nil // erased meanwhile
	}
	return err
}

// putBack makes the address of a notice the user's, if it was within three days. It
// returns [remuda.ErrTokenInvalid] for any other.
func putBack(ctx context.Context, tx *sql.Tx, n *remuda.Notice) error {
	var current string
	err := tx.QueryRowContext(ctx, "SELECT email FROM users WHERE username = ?", n.Subject).Scan(&current)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil || n.Extra == current {
		return err
	}
	var number sql.NullInt64
	err = tx.QueryRowContext(ctx, "SELECT min(number) FROM addresses WHERE username = ? AND email = ? AND until > ?",
		n.Subject, n.Extra, time.Now().UnixMilli()).Scan(&number)
	if err == nil && !number.Valid {
		err = remuda.ErrTokenInvalid
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM addresses WHERE username = ? AND number >= ?", n.Subject, number.Int64)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE users SET email = ?2 WHERE username = ?1", n.Subject, n.Extra)
	}
	return err
}

// ResetPassword implements [web.Disowner]. Only the user's address speaks for the user.
func (d *Directory) ResetPassword(ctx context.Context, n remuda.Notice, password string) error {
	u, err := d.User(ctx, n.Subject)
	if err != nil {
		return err
	}
	if u.Email != n.Extra {
		return remuda.ErrTokenInvalid
	}
	return d.ChangePassword(ctx, n.Subject, n.Tenant, password)
}

// maxAsks is how many new addresses of a user are written to in a day.
const maxAsks = 5

// NoteAsk notes that a new address of a user is about to be written to. It returns a
// [*web.ThrottledError] after five in a day, or another error.
func (d *Directory) NoteAsk(ctx context.Context, username string) error {
	const day = 24 * time.Hour
	now := time.Now()
	n, err := affected(d.db.ExecContext(ctx, `UPDATE users SET asks = CASE WHEN asked_at <= ?2 THEN 1 ELSE asks + 1 END,
		asked_at = CASE WHEN asked_at <= ?2 THEN ?3 ELSE asked_at END
		WHERE username = ?1 AND (asks < ?4 OR asked_at <= ?2)`, username, now.Add(-day).UnixMilli(), now.UnixMilli(), maxAsks))
	switch {
	case err != nil:
		return fmt.Errorf("directory: note ask: %w", err)
	case n == 0:
		return &web.ThrottledError{After: day}
	default:
		return nil
	}
}

// inTx does what is done whole or not at all.
func (d *Directory) inTx(ctx context.Context, what string, do func(*sql.Tx) error) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("directory: %s: %w", what, err)
	}
	if err := do(tx); err != nil {
		return errors.Join(fmt.Errorf("directory: %s: %w", what, err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("directory: %s: %w", what, err)
	}
	return nil
}

// exists returns [ErrNotFound] where nobody is affected.
func exists(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func texts(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	list := []string{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, s)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

// Devices that have not been used for so long are new again.
const deviceMemory = 400 * 24 * time.Hour

// maxDevices bounds how many devices of a user are remembered.
const maxDevices = 50

// Devices returns the coarse names of the devices that a user has signed in from lately.
func (d *Directory) Devices(ctx context.Context, username string) ([]string, error) {
	username, _ = foldName(username)
	list, err := texts(d.db.QueryContext(ctx, "SELECT name FROM devices WHERE username = ? ORDER BY seen_at DESC", username))
	if err != nil {
		return nil, fmt.Errorf("directory: devices of %s: %w", username, err)
	}
	return list, nil
}

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
