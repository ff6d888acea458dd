package sqlitestore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"

	"modernc.org/sqlite"
)

func newEntry() store.Entry {
	e := store.Entry{Scope: store.ScopeEverything, Until: time.Now().Add(time.Hour), Reason: "test"}
	_, _ = rand.Read(e.ID[:])
	return e
}

func add(tb testing.TB, l store.Log) store.Entry {
	tb.Helper()
	e := newEntry()
	if err := l.Append(tb.Context(), e); err != nil {
		tb.Fatalf("Append: %v", err)
	}
	return e
}

// follow reads the ids behind the cursor until enough says so, and returns where
// it stands then.
func follow(ctx context.Context, l store.Log, after store.Cursor, enough func(ids []store.ID) bool) ([]store.ID, store.Cursor, error) {
	var ids []store.ID
	for b, err := range l.Follow(ctx, after, time.Now) {
		if err != nil {
			return ids, after, err
		}
		for i := range b.Entries {
			ids = append(ids, b.Entries[i].ID)
		}
		if after = b.Next; enough(ids) {
			break
		}
	}
	return ids, after, nil
}

// TestFollowGoesOnAfterAFailure takes the table away under a follower.
func TestFollowGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	want := []store.ID{add(t, s).ID}
	var got []store.ID
	var cursor store.Cursor
	var failed error
	for b, err := range s.Follow(t.Context(), "", time.Now) {
		if failed = err; err != nil {
			break
		}
		cursor = b.Next
		for i := range b.Entries {
			got = append(got, b.Entries[i].ID)
		}
		if err := s.Exec(t.Context(), "ALTER TABLE log RENAME TO away"); err != nil {
			t.Fatal(err)
		}
	}
	if failed == nil || isSentinel(failed) {
		t.Fatalf("Follow without the table = %v, want a failure", failed)
	}
	if err := s.Exec(t.Context(), "ALTER TABLE away RENAME TO log"); err != nil {
		t.Fatal(err)
	}
	want = append(want, add(t, s).ID, add(t, s).ID)
	more, _, err := follow(t.Context(), s, cursor, func(ids []store.ID) bool { return len(ids) >= 2 })
	if got = append(got, more...); err != nil || !slices.Equal(got, want) {
		t.Fatalf("delivered %v, %v, want %v", got, err, want)
	}
}

// TestNoMarkForAReplacedFile moves the file away under a follower and puts
// another in its place, to which another store appends.
func TestNoMarkForAReplacedFile(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, path string){
		"gone":    func(*testing.T, string) {},
		"another": func(t *testing.T, path string) { t.Helper(); add(t, open(t, sqlitestore.Config{Path: path})) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			s := open(t, sqlitestore.Config{Path: path})
			var moved time.Time
			failed := false
			for b, err := range s.Follow(t.Context(), "", time.Now) {
				if err != nil {
					failed = true
					continue
				}
				if !moved.IsZero() {
					t.Errorf("a mark at %v after the file was moved at %v", b.AsOf, moved)
					break
				}
				if err := os.Rename(path, path+".old"); err != nil {
					t.Fatal(err)
				}
				moved = time.Now()
				replace(t, path)
			}
			if !failed {
				t.Error("the follower did not fail")
			}
			if err := s.Append(t.Context(), newEntry()); err == nil {
				t.Error("an entry was acknowledged that nobody finds")
			}
		})
	}
}

func TestCursorOfAnotherLog(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	add(t, s)
	add(t, s)
	for cursor, good := range map[store.Cursor]bool{"": true, "0": true, "2": true, "3": false, "01": false, "+1": false, "-1": false} {
		_, _, err := follow(t.Context(), s, cursor, func([]store.ID) bool { return true })
		if (err == nil) != good || err != nil && !errors.Is(err, store.ErrCursor) {
			t.Errorf("Follow from %q: %v", cursor, err)
		}
	}
}

// TestRestoredInPlace writes an older copy into the file that is followed, as
// SQLite's own tools do it.
func TestRestoredInPlace(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	kept := add(t, s).ID
	raw := rawDB(t, path)
	if _, err := raw.ExecContext(t.Context(), "VACUUM INTO ?", path+".copy"); err != nil {
		t.Fatal(err)
	}
	add(t, s)
	restored := false
	_, _, err := follow(t.Context(), s, "", func(ids []store.ID) bool {
		if len(ids) == 2 && !restored {
			restore(t, raw, path+".copy")
			restored = true
		}
		return len(ids) > 2
	})
	if !restored || !errors.Is(err, store.ErrCursor) {
		t.Fatalf("restored: %v; the follower ends with %v, want %v", restored, err, store.ErrCursor)
	}
	after := add(t, s).ID
	ids, _, err := follow(t.Context(), s, "", func(ids []store.ID) bool { return len(ids) == 2 })
	if err != nil || !slices.Equal(ids, []store.ID{kept, after}) {
		t.Errorf("the log then is %v, %v, want what was kept and what came", ids, err)
	}
}

// restore copies a database into that of a connection.
func restore(t *testing.T, db *sql.DB, from string) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		b, err := c.(interface {
			NewRestore(from string) (*sqlite.Backup, error)
		}).NewRestore(from)
		if err != nil {
			return err
		}
		_, err = b.Step(-1)
		return errors.Join(err, b.Finish())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMigration opens a file of the first schema, beside one who has it open.
func TestMigration(t *testing.T) {
	t.Parallel()
	steps, err := sqlitestore.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	path := newPath(t)
	old := rawDB(t, path)
	r := newRecord()
	script := "PRAGMA journal_mode = WAL; " + steps[0] + "; PRAGMA application_id = 0x524D4453; PRAGMA user_version = 1"
	if _, err := old.ExecContext(t.Context(), script); err != nil {
		t.Fatal(err)
	}
	insert, err := old.PrepareContext(t.Context(), `INSERT INTO session (id, tenant, subject, profile, gen, gen_seen, window_at,
		last_seen, idle_expires, expires, ended_at, end_reason, version, blob) VALUES (?, 'acme', 'alice', 'web', 1, 0, 0, 0, ?, ?, 0, '', ?, x'01')`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = insert.Close() })
	if _, err := insert.ExecContext(t.Context(), r.ID[:], r.IdleExpires.UnixMicro(), r.Expires.UnixMicro(), r.Version[:]); err != nil {
		t.Fatal(err)
	}

	s := open(t, sqlitestore.Config{Path: path})
	if got := get(t, s, r.ID); got.Version != r.Version || !got.Expires.Equal(r.Expires) {
		t.Errorf("after the migration the record is %+v", got)
	}
	if version, err := s.Ask(t.Context(), "PRAGMA user_version"); err != nil || version != fmt.Sprint(len(steps)) {
		t.Errorf("user_version = %s, %v, want %d", version, err, len(steps))
	}
	e := add(t, s)
	got, _, err := follow(t.Context(), s, "", func(ids []store.ID) bool { return len(ids) > 0 })
	if err != nil || !slices.Equal(got, []store.ID{e.ID}) {
		t.Errorf("the log holds %v, %v", got, err)
	}
	late := newRecord()
	if _, err := insert.ExecContext(t.Context(), late.ID[:], late.IdleExpires.UnixMicro(), late.Expires.UnixMicro(), late.Version[:]); err != nil {
		t.Errorf("one who has had the file open since before: %v", err)
	}
	get(t, s, late.ID)
}

const logged = 60 // entries that each process appends

// childLog appends and follows, and says in which order it was delivered what
// it and its parent have appended.
func childLog(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return err
	}
	await()
	ids, err := appendAndFollow(ctx, s)
	if err != nil {
		return err
	}
	for _, id := range ids {
		fmt.Println(id)
	}
	return s.Close()
}

// appendAndFollow returns what was delivered once both processes are done.
func appendAndFollow(ctx context.Context, s store.Log) ([]store.ID, error) {
	appended := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < logged && err == nil; i++ {
			err = s.Append(ctx, newEntry())
		}
		appended <- err
	}()
	ids, _, err := follow(ctx, s, "", func(ids []store.ID) bool { return len(ids) >= 2*logged })
	return ids, errors.Join(err, <-appended)
}

func TestProcessesFollowEachOther(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	c := startChild(t, "log", path)
	c.line()
	c.proceed()
	ours, err := appendAndFollow(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	theirs := make([]string, len(ours))
	for i := range theirs {
		theirs[i] = c.line()
	}
	c.wait()
	for i, id := range ours {
		if id.String() != theirs[i] {
			t.Fatalf("entry %d is %v here and %s there", i, id, theirs[i])
		}
	}
}

// childAppend appends until it is killed, and says what was acknowledged.
func childAppend(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	for err == nil {
		e := newEntry()
		if err = s.Append(ctx, e); err == nil {
			fmt.Println(e.ID)
		}
	}
	return err
}

// TestKilledAppender kills a process in the middle of its appends, again and
// again. What it had acknowledged is delivered to one who follows throughout,
// and to one who comes later.
func TestKilledAppender(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	var acknowledged, seen []store.ID
	var cursor store.Cursor
	for round := range 5 {
		c := startChild(t, "append", path)
		for range 10 + 31*round {
			acknowledged = append(acknowledged, parseID(t, c.line()))
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.out.Scan() {
			if id := strings.TrimSpace(c.out.Text()); len(id) == 22 { // the kill may have cut the last
				acknowledged = append(acknowledged, parseID(t, id))
			}
		}
		_ = c.cmd.Wait() // killed, as wanted
		last := add(t, s).ID
		acknowledged = append(acknowledged, last)
		ids, next, err := follow(t.Context(), s, cursor, func(ids []store.ID) bool { return slices.Contains(ids, last) })
		if err != nil {
			t.Fatal(err)
		}
		seen, cursor = append(seen, ids...), next
	}
	late, _, err := follow(t.Context(), open(t, sqlitestore.Config{Path: path}), "", func(ids []store.ID) bool { return len(ids) >= len(seen) })
	if err != nil || !slices.Equal(late, seen) {
		t.Errorf("one who comes later is delivered %d entries, %v, and not the same %d", len(late), err, len(seen))
	}
	left := seen
	for _, id := range acknowledged {
		i := slices.Index(left, id)
		if i < 0 {
			t.Fatalf("%v was acknowledged and is not delivered, or out of order", id)
		}
		left = left[i+1:]
	}
}

func parseID(tb testing.TB, text string) store.ID {
	tb.Helper()
	id, err := store.ParseID(text)
	if err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	return id
}

// BenchmarkLogPropagation is how long after its Append has returned an entry is
// delivered to a follower: of the same store, and of another one on the file, as
// another process would have it.
func BenchmarkLogPropagation(b *testing.B) {
	b.Run("same store", func(b *testing.B) {
		s := open(b, sqlitestore.Config{Path: newPath(b)})
		propagation(b, s, s)
	})
	b.Run("other store", func(b *testing.B) {
		path := newPath(b)
		propagation(b, open(b, sqlitestore.Config{Path: path}), open(b, sqlitestore.Config{Path: path}))
	})
}

func propagation(b *testing.B, from, to store.Log) {
	b.Helper()
	type arrival struct {
		id store.ID
		at time.Time
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	arrivals := make(chan arrival, 1)
	go func() {
		defer close(arrivals)
		for batch, err := range to.Follow(ctx, "", time.Now) {
			if err != nil {
				return
			}
			for i := range batch.Entries {
				arrivals <- arrival{batch.Entries[i].ID, time.Now()}
			}
		}
	}()
	var took []time.Duration
	for b.Loop() {
		e := add(b, from)
		appended := time.Now()
		a, ok := <-arrivals
		if !ok || a.id != e.ID {
			b.Fatalf("delivered %v, want %v", a.id, e.ID)
		}
		took = append(took, a.at.Sub(appended))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	cancel()
	for range arrivals { // until the follower has left
	}
}
