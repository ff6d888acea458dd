package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

const (
	recordColumns = "id, tenant, subject, profile, gen, gen_seen, window_at, last_seen, idle_expires, expires, ended_at, end_reason, version, blob"

	createSQL = "INSERT INTO session (" + recordColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"

	// The condition stands in the statement that writes: nothing is read first.
	updateSQL = `UPDATE session SET tenant = ?2, subject = ?3, profile = ?4, gen = ?5, gen_seen = ?6, window_at = ?7,
		last_seen = ?8, idle_expires = ?9, expires = ?10, ended_at = ?11, end_reason = ?12, version = ?13, blob = ?14
		WHERE id = ?1 AND version = ?15 AND ended_at = 0`

	// Right-hand sides see the row as it was. The last condition is "anything
	// changes"; without it a touch would spend a version for nothing.
	touchSQL = `UPDATE session SET
		window_at = CASE WHEN gen = ?2 AND ?2 <> 0 AND gen_seen = 0 THEN max(window_at, ?3) ELSE window_at END,
		gen_seen = gen_seen OR (gen = ?2 AND ?2 <> 0),
		last_seen = CASE WHEN ?4 <> 0 THEN max(last_seen, ?3) ELSE last_seen END,
		idle_expires = CASE WHEN ?4 <> 0 THEN max(idle_expires, min(?4, expires)) ELSE idle_expires END,
		version = ?5
		WHERE id = ?1 AND ended_at = 0 AND ?3 < idle_expires AND ?3 < expires AND (
			(gen = ?2 AND ?2 <> 0 AND gen_seen = 0)
			OR (?4 <> 0 AND (last_seen < ?3 OR idle_expires < min(?4, expires))))`

	existsSQL = "SELECT EXISTS (SELECT 1 FROM session WHERE id = ?)"

	sweepSQL = "DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE due < ? ORDER BY due LIMIT ?)"

	eraseSQL = "DELETE FROM session WHERE tenant = ? AND subject = ? AND ended_at <> 0"

	getSQL  = "SELECT " + recordColumns + " FROM session WHERE id = ?"
	listSQL = "SELECT " + recordColumns + " FROM session WHERE tenant = ? AND subject = ? AND id > ? ORDER BY id LIMIT ?"
	scanSQL = "SELECT " + recordColumns + " FROM session WHERE id > ? ORDER BY id LIMIT ?"

	// Takes the place of an expired item, and of no other.
	createItemSQL = `INSERT INTO item (kind, key, expires, version, value) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (kind, key) DO UPDATE SET expires = ?3, version = ?4, value = ?5
		WHERE item.expires <> 0 AND item.expires <= ?6`

	itemLives     = "kind = ?1 AND key = ?2 AND (expires = 0 OR expires > ?3)"
	existsItemSQL = "SELECT EXISTS (SELECT 1 FROM item WHERE " + itemLives + ")"
	getItemSQL    = "SELECT expires, version, value FROM item WHERE " + itemLives
	swapItemSQL   = "UPDATE item SET expires = ?5, version = ?6, value = ?7 WHERE " + itemLives + " AND version = ?4"
	deleteItemSQL = "DELETE FROM item WHERE " + itemLives + " AND version = ?4"
	sweepItemsSQL = "DELETE FROM item WHERE rowid IN (SELECT rowid FROM item WHERE expires <> 0 AND expires < ? ORDER BY expires LIMIT ?)"

	logColumns  = "id, scope, target, tenant, since, before, spared, until, at, reason"
	appendSQL   = "INSERT INTO log (" + logColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?)"
	settleSQL   = "UPDATE log SET until = ?2 WHERE about = ?1 AND until > ?2"
	truncateSQL = "DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE until < ? ORDER BY until LIMIT ?)"

	changesSQL = "PRAGMA data_version"
	followSQL  = "SELECT seq, " + logColumns + " FROM log WHERE seq > ? ORDER BY seq LIMIT ?"
	// The highest number ever given: none if there was no entry.
	newestSQL = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'log'"
)

// queries are the statements that read, for the pool.
type queries struct {
	get, list, scan, getItem, ping *sql.Stmt
}

func (q *queries) prepare(ctx context.Context, db *sql.DB) error {
	return prepareAll(ctx, db, map[**sql.Stmt]string{
		&q.get: getSQL, &q.list: listSQL, &q.scan: scanSQL, &q.getItem: getItemSQL,
		&q.ping: "SELECT EXISTS (SELECT 1 FROM session)",
	})
}

// writeConn is the connection that writes, with its statements.
type writeConn struct {
	*sql.Conn
	begin, commit, rollback                                  *sql.Stmt
	create, update, touch, exists, sweep, erase              *sql.Stmt
	createItem, swapItem, deleteItem, existsItem, sweepItems *sql.Stmt
	append, settle, truncate                                 *sql.Stmt
}

func openWriteConn(ctx context.Context, db *sql.DB) (*writeConn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &writeConn{Conn: conn}
	if err := prepareAll(ctx, conn, c.statements()); err != nil {
		c.discard()
		return nil, err
	}
	return c, nil
}

// statements says where each statement belongs.
func (c *writeConn) statements() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&c.begin: "BEGIN IMMEDIATE", &c.commit: "COMMIT", &c.rollback: "ROLLBACK",
		&c.create: createSQL, &c.update: updateSQL, &c.touch: touchSQL, &c.exists: existsSQL, &c.sweep: sweepSQL, &c.erase: eraseSQL,
		&c.createItem: createItemSQL, &c.swapItem: swapItemSQL, &c.deleteItem: deleteItemSQL,
		&c.existsItem: existsItemSQL, &c.sweepItems: sweepItemsSQL,
		&c.append: appendSQL, &c.settle: settleSQL, &c.truncate: truncateSQL,
	}
}

// discard closes the connection, in whatever state it is. Its statements go
// first: database/sql does not close those of a single connection, and SQLite
// keeps a connection with statements open, with its locks and its files.
func (c *writeConn) discard() {
	for stmt := range c.statements() {
		if *stmt != nil {
			_ = (*stmt).Close()
		}
	}
	// ErrBadConn makes database/sql close it instead of using it again.
	_ = c.Raw(func(any) error { return driver.ErrBadConn })
}

type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepareAll prepares each statement into its place.
func prepareAll(ctx context.Context, p preparer, all map[**sql.Stmt]string) (err error) {
	for place, query := range all {
		if *place, err = p.PrepareContext(ctx, query); err != nil { //nolint:sqlclosecheck // closing the connection or the pool closes it
			return err
		}
	}
	return nil
}
