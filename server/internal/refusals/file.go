package refusals

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// What a caller can tell apart, wrapped.
var (
	// ErrForeign says that what is at the path was not made by this package, or by
	// another version. Nothing is lost if it is removed: the file is made anew.
	ErrForeign = errors.New("not a file of refusals that this version knows: remove it if it is one")
	// ErrExposed says that others than the owner may read or write the file.
	ErrExposed = errors.New("others than its owner may use the file: chmod 600")
	// ErrNotFound says that there is no such request in the file.
	ErrNotFound = errors.New("no such request")
)

// perCode is how many refusals of one code are kept: a scan for paths that are not
// there pushes no logout out.
const perCode = 1000

// applicationID stands in the header of our files: "RMDR".
const applicationID = 0x524D4452

// schema is the one that there is. Requests are in the order in which they were
// written.
const schema = `
CREATE TABLE refusals (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
CREATE INDEX by_id ON refusals (id);
CREATE INDEX by_code ON refusals (code, seq);
CREATE INDEX by_time ON refusals (at);`

// open opens the file, which is there. What is deleted is overwritten: the file
// names subjects, for so long and no longer.
func open(path string) (*sql.DB, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(full)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	query := "mode=rw&_busy_timeout=10000&_synchronous=NORMAL&_txlock=immediate&_dqs=0&_defensive=1&_pragma=trusted_schema(0)&_pragma=secure_delete(1)"
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: name, RawQuery: query}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// creating keeps two keepers of one process apart while a new file is made: to close
// any descriptor of a file drops the locks that SQLite has on it in this process.
var creating sync.Mutex

// create makes the file, if it is missing, for its owner alone. One that is there
// is not opened here.
func create(path string) error {
	creating.Lock()
	defer creating.Unlock()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil // another process was faster
		}
		if err != nil {
			return err
		}
		return f.Close()
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return ErrForeign
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w (its mode is %#o)", ErrExposed, info.Mode().Perm())
	}
	return nil
}

// prepare makes the table in an empty file, and refuses any other but ours. Several
// processes may do so at once.
func prepare(ctx context.Context, db *sql.DB) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return foreign(err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong before is told
		}
	}()
	var id, version, objects int
	err = tx.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &objects)
	switch {
	case err != nil:
		return foreign(err)
	case id == applicationID && version == 1:
		return tx.Rollback()
	case id != 0 || version != 0 || objects != 0:
		return ErrForeign
	}
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("\nPRAGMA application_id = %d; PRAGMA user_version = 1", applicationID)); err != nil {
		return err
	}
	return tx.Commit()
}

// foreign says so where SQLite says that the file is no database.
func foreign(err error) error {
	if err != nil && strings.Contains(err.Error(), "not a database") {
		return ErrForeign
	}
	return err
}

// store writes entries, and deletes those that are too many of their codes, or came
// before an instant.
func store(ctx context.Context, db *sql.DB, entries []Entry, before time.Time) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong before is told
		}
	}()
	codes := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		text, err := e.encode()
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO refusals (id, code, at, entry) VALUES (?, ?, ?, ?)",
			e.RequestID, e.Code, e.Time.UnixMilli(), string(text)); err != nil {
			return err
		}
		codes[e.Code] = true
	}
	for code := range codes {
		if _, err := tx.ExecContext(ctx, `DELETE FROM refusals WHERE code = ?1 AND seq <=
			(SELECT seq FROM refusals WHERE code = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`, code, perCode); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM refusals WHERE at < ?", before.UnixMilli()); err != nil {
		return err
	}
	return tx.Commit()
}

// Find returns the refusal of a request from the file at path, while a server
// writes to it or not. The error wraps [ErrNotFound] where it is not there, and
// [fs.ErrNotExist] where there is no file.
func Find(ctx context.Context, path, requestID string) (e Entry, err error) {
	if _, err := os.Stat(path); err != nil {
		return Entry{}, fmt.Errorf("refusals: %w", err)
	}
	db, err := open(path)
	if err != nil {
		return Entry{}, fmt.Errorf("refusals: open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var text string
	err = db.QueryRowContext(ctx, "SELECT entry FROM refusals WHERE id = ? ORDER BY seq DESC LIMIT 1", requestID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, fmt.Errorf("refusals: %w", ErrNotFound)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &e)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("refusals: read %s: %w", path, err)
	}
	return e, nil
}

// Of returns what the file at path says of requests of a subject, the oldest first. The
// error wraps [fs.ErrNotExist] where there is no file.
func Of(ctx context.Context, path, subject string) (list []Entry, err error) {
	err = each(ctx, path, func(_ *sql.Tx, _ int64, e *Entry) error {
		if e.of(subject) {
			list = append(list, *e)
		}
		return nil
	})
	return list, err
}

// Erase removes that, and returns how many they were.
func Erase(ctx context.Context, path, subject string) (n int, err error) {
	err = each(ctx, path, func(tx *sql.Tx, seq int64, e *Entry) error {
		if !e.of(subject) {
			return nil
		}
		n++
		_, err := tx.ExecContext(ctx, "DELETE FROM refusals WHERE seq = ?", seq)
		return err
	})
	return n, err
}

// each calls do for every entry, in one transaction.
func each(ctx context.Context, path string, do func(tx *sql.Tx, seq int64, e *Entry) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("refusals: %w", err)
		}
	}()
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong before is told
		}
	}()
	entries, err := read(ctx, tx)
	if err != nil {
		return err
	}
	for _, seq := range slices.Sorted(maps.Keys(entries)) {
		e := entries[seq]
		if err := do(tx, seq, &e); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// read returns all entries by number. They are bounded: see perCode.
func read(ctx context.Context, tx *sql.Tx) (_ map[int64]Entry, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT seq, entry FROM refusals")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := map[int64]Entry{}
	for rows.Next() {
		var seq int64
		var text string
		if err := rows.Scan(&seq, &text); err != nil {
			return nil, err
		}
		var e Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, err
		}
		all[seq] = e
	}
	return all, rows.Err()
}
