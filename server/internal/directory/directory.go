package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/remuda-go/remuda/web"
)

// What a caller can tell apart, wrapped.
var (
	// ErrExists says that there is a user of that name.
	ErrExists = errors.New("the user exists already")
	// ErrNotFound says that there is no user of that name.
	ErrNotFound = errors.New("no such user")
	// ErrInvalid says that a new user name or password breaks the rules; the
	// message around it says which, and never shows the password.
	ErrInvalid = errors.New("not acceptable")
)

var (
	_ web.Authenticator   = (*Directory)(nil)
	_ web.PasswordChanger = (*Directory)(nil)
)

// User is what may be shown of a user.
type User struct {
	Username          string // in lower case; the subject too
	Email             string // where the user is written to; may be empty
	CreatedAt         time.Time
	PasswordChangedAt time.Time // CreatedAt until it is first changed
}

// Directory is a [web.Authenticator] over users in a file. Make one with
// [Open]. It is safe for concurrent use, beside other processes that have the
// same file open, and must not be copied.
type Directory struct {
	db     *sql.DB
	hasher *hasher
	decoy  phc // what is computed where there is no user
}

// Open opens the directory at path and brings its schema up to date. It makes
// the file, with mode 0600, if it is missing, but not the folder. SQLite keeps
// two files beside it, named with -wal and -shm: the three belong together.
//
// A file that is not ours ([ErrForeign]), is newer than this program
// ([ErrNewer]), or is open to others than its owner ([ErrExposed]) is refused
// and left as it was.
func Open(ctx context.Context, path string) (*Directory, error) {
	return open(ctx, path, current)
}

func open(ctx context.Context, path string, cost params) (*Directory, error) {
	if path == "" {
		return nil, errors.New("directory: no path")
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if err := prepareFile(ctx, full); err != nil {
		return nil, fmt.Errorf("directory: open %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", dsn(full, "mode=rw"))
	if err != nil {
		return nil, fmt.Errorf("directory: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	return &Directory{db: db, hasher: newHasher(cost), decoy: newDecoy(cost)}, nil
}

// Close closes the file. Calls under way fail or finish.
func (d *Directory) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("directory: close: %w", err)
	}
	return nil
}

// Add makes a user. The name is folded to lower case. It returns [ErrExists] or
// [ErrInvalid], wrapped, or another error if the user could not be stored.
func (d *Directory) Add(ctx context.Context, username, password string) error {
	name, hash, err := d.prepare(ctx, username, password)
	if err != nil {
		return fmt.Errorf("directory: add user: %w", err)
	}
	now := time.Now().UnixMilli()
	n, err := affected(d.db.ExecContext(ctx, `INSERT INTO users (username, hash, created_at, password_changed_at)
		VALUES (?1, ?2, ?3, ?3) ON CONFLICT (username) DO NOTHING`, name, hash, now))
	if err == nil && n == 0 {
		err = ErrExists
	}
	if err != nil {
		return fmt.Errorf("directory: add user %s: %w", name, err)
	}
	return nil
}

// SetPassword replaces the password of a user. It returns [ErrNotFound] or
// [ErrInvalid], wrapped, or another error if it could not be stored. It ends no
// session: that is the caller's.
func (d *Directory) SetPassword(ctx context.Context, username, password string) error {
	name, hash, err := d.prepare(ctx, username, password)
	if err != nil {
		return fmt.Errorf("directory: set password: %w", err)
	}
	n, err := affected(d.db.ExecContext(ctx,
		"UPDATE users SET hash = ?2, void = 0, password_changed_at = max(password_changed_at, ?3) WHERE username = ?1",
		name, hash, time.Now().UnixMilli()))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("directory: set password of %s: %w", name, err)
	}
	return nil
}

// ChangePassword implements [web.PasswordChanger].
func (d *Directory) ChangePassword(ctx context.Context, subject, _, password string) error {
	if err := checkNewPassword(password); err != nil {
		rule, _ := strings.CutPrefix(err.Error(), ErrInvalid.Error()+": ")
		return &web.PasswordError{Reason: "new_password: " + rule + "."}
	}
	return d.SetPassword(ctx, subject, password)
}

// prepare checks a new name and password and hashes the password.
func (d *Directory) prepare(ctx context.Context, username, password string) (name, hash string, err error) {
	name, ok := foldName(username)
	if !ok {
		return "", "", fmt.Errorf("%w: a user name has 1 to %d of a-z, 0-9, dot, underscore, at sign, plus and hyphen, and begins with a letter or digit", ErrInvalid, maxName)
	}
	if err := checkNewPassword(password); err != nil {
		return "", "", err
	}
	p, err := d.hasher.hash(ctx, password)
	return name, p.String(), err
}

// User returns a user, or [ErrNotFound], wrapped.
func (d *Directory) User(ctx context.Context, username string) (User, error) {
	var created, changed int64
	var email string
	name, _ := foldName(username)
	err := d.db.QueryRowContext(ctx, "SELECT created_at, password_changed_at, email FROM users WHERE username = ?", name).Scan(&created, &changed, &email)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("directory: user %s: %w", username, err)
	}
	return User{Username: name, Email: email, CreatedAt: time.UnixMilli(created).UTC(), PasswordChangedAt: time.UnixMilli(changed).UTC()}, nil
}

// Remove removes a user, and leaves nothing of them in the file. It returns
// [ErrNotFound], wrapped, or another error: then the user may be removed and something
// left, and to call it again, with whatever name, finishes it. It ends no session: that
// is the caller's.
func (d *Directory) Remove(ctx context.Context, username string) error {
	name, _ := foldName(username)
	_, err := d.db.ExecContext(ctx, "DELETE FROM devices WHERE username = ?", name)
	if err == nil {
		_, err = d.db.ExecContext(ctx, "DELETE FROM addresses WHERE username = ?", name)
	}
	var n int64
	if err == nil {
		n, err = affected(d.db.ExecContext(ctx, "DELETE FROM users WHERE username = ?", name))
	}
	if err == nil {
		err = d.cutJournal(ctx)
	}
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("directory: remove user %s: %w", username, err)
	}
	return nil
}

// cutJournal folds the WAL into the file, in which what is removed was overwritten.
func (d *Directory) cutJournal(ctx context.Context) error {
	var busy, pages, done int
	err := d.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads the file: the WAL could not be cut")
	}
	return err
}

// List returns all users in the order of their names.
func (d *Directory) List(ctx context.Context) (users []User, err error) {
	defer func() {
		if err != nil {
			users, err = nil, fmt.Errorf("directory: list users: %w", err)
		}
	}()
	rows, err := d.db.QueryContext(ctx, "SELECT username, created_at, password_changed_at, email FROM users ORDER BY username")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u User
		var created, changed int64
		if err := rows.Scan(&u.Username, &created, &changed, &u.Email); err != nil {
			return nil, err
		}
		u.CreatedAt, u.PasswordChangedAt = time.UnixMilli(created).UTC(), time.UnixMilli(changed).UTC()
		users = append(users, u)
	}
	return users, rows.Err()
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
