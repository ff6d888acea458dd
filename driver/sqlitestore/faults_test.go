package sqlitestore_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"
)

// TestDiskFull lets the file grow no more: writes fail as failures, nothing is
// lost or half made, and all is well when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	kept := create(t, s, newRecord())
	if err := s.Exec(t.Context(), "PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	large := newRecord()
	large.Blob = make([]byte, 1<<16)
	var full error
	for made := 0; full == nil; made++ {
		if made > 40 {
			t.Fatal("the file is not full")
		}
		large.ID, large.Version = newRecord().ID, newVersion()
		full = s.Create(t.Context(), large)
	}
	if isSentinel(full) || !strings.Contains(full.Error(), "full") {
		t.Fatalf("Create = %v, want the failure that the disk is full", full)
	}
	if _, err := s.Get(t.Context(), large.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Get of what could not be created = %v", err)
	}
	get(t, s, kept.ID)
	if err := s.Exec(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	create(t, s, large)
	get(t, s, large.ID)
}

// TestFailureHarmsNoNeighbour mixes writes that fail with writes that share
// their transactions.
func TestFailureHarmsNoNeighbour(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	planted := errors.New("planted")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if i%4 == 0 {
				if err := s.Fail(t.Context(), planted); !errors.Is(err, planted) {
					t.Errorf("the failing write = %v", err)
				}
				return
			}
			r := newRecord()
			if err := s.Create(t.Context(), r); err != nil {
				t.Errorf("Create: %v", err)
			} else if err := s.Create(t.Context(), r); !errors.Is(err, store.ErrExists) {
				t.Errorf("Create again = %v", err)
			}
		})
	}
	wg.Wait()
	if n := listed(t, s); n != 48 {
		t.Fatalf("%d records are there, want 48", n)
	}
}

// TestLostTransaction rolls the writer's transaction back under it.
func TestLostTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	if err := s.Exec(t.Context(), "ROLLBACK"); err == nil || isSentinel(err) {
		t.Fatalf("a write whose transaction is lost = %v, want a failure", err)
	}
	create(t, s, newRecord())
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-13.3.2")
	path := newPath(t)
	create(t, open(t, sqlitestore.Config{Path: path}), newRecord())
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

// TestCloseLeavesOneFile shows that every connection is really closed: the last
// to leave folds the WAL into the file and removes it.
func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	create(t, s, newRecord())
	if err := s.Exec(t.Context(), "ROLLBACK"); err == nil { // costs the writer its connection
		t.Fatal("a lost transaction was committed")
	}
	listed(t, s)
	create(t, s, newRecord())
	first := make(chan struct{})
	go func() {
		for range s.Follow(t.Context(), "", time.Now) {
			select {
			case <-first:
			default:
				close(first)
			}
		}
	}()
	<-first
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Fatalf("after Close there are %v, %v", entries, err)
	}
}

func TestOddPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?mode=memory&x#y%41é.db")
	s := open(t, sqlitestore.Config{Path: path})
	r := create(t, s, newRecord())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	get(t, open(t, sqlitestore.Config{Path: path}), r.ID)
}

func TestDurabilitySettings(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitestore.Config{Path: newPath(t)})
	for query, want := range map[string]string{"PRAGMA synchronous": "2", "PRAGMA journal_mode": "wal"} {
		if got, err := s.Ask(t.Context(), query); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", query, got, err, want)
		}
	}
}

func TestQueriesUseTheirIndex(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	open(t, sqlitestore.Config{Path: path})
	db := rawDB(t, path)
	for query, index := range map[string]string{
		sqlitestore.ListSQL: "session_owner", sqlitestore.SweepSQL: "session_due", sqlitestore.SweepItemsSQL: "item_expires",
		sqlitestore.FollowSQL: "PRIMARY KEY", sqlitestore.SettleSQL: "log_about", sqlitestore.TruncateSQL: "log_until",
	} {
		rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var a, b, c int
			var step string
			if err := rows.Scan(&a, &b, &c, &step); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(step + "\n")
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil { //nolint:sqlclosecheck // its error is wanted
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), index) || strings.Contains(plan.String(), "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, &plan)
		}
	}
}

// TestFileGone wants every call to fail once the file is no longer at its path:
// what is read may have ended since, and what is written nobody finds.
func TestFileGone(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	r := newRecord()
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	everyCallFails(t, "gone", s, r)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	everyCallFails(t, "replaced", s, r)
}

func everyCallFails(t *testing.T, when string, s *sqlitestore.Store, r store.Record) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	_, get := s.Get(ctx, r.ID)
	_, item := s.GetItem(ctx, "kind", "key", now)
	var scan error
	for _, err := range s.Scan(ctx, store.ID{}) {
		scan = err
	}
	for call, err := range map[string]error{
		"Ping": s.Ping(ctx), "Get": get, "Scan": scan, "Create": s.Create(ctx, newRecord()),
		"Update": s.Update(ctx, r, store.Version{}), "GetItem": item,
		"DeleteItem": s.DeleteItem(ctx, "kind", "key", store.Version{}, now), "Append": s.Append(ctx),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s with the file %s: %v", call, when, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []sqlitestore.Config{
		{},
		{Path: newPath(t), Readers: -1},
		{Path: newPath(t), BusyTimeout: -1},
		{Path: filepath.Join(t.TempDir(), "missing", "sessions.db")},
	} {
		if _, err := sqlitestore.Open(t.Context(), cfg); err == nil {
			t.Errorf("Open(%+v) succeeded", cfg)
		}
	}
}

// TestRefusedFiles opens what is not ours; it must be named as such and stay as
// it was.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"text":                      {fileOf("these are no sessions, and this is long enough for a header of a hundred bytes, which it has to be, or nearly"), sqlitestore.ErrForeign},
		"a few bytes":               {fileOf("hello"), sqlitestore.ErrForeign},
		"a cut database":            {fileOf("SQLite format 3\x00"), sqlitestore.ErrForeign},
		"another application":       {databaseOf("PRAGMA application_id = 7; CREATE TABLE t (x)"), sqlitestore.ErrForeign},
		"only an id":                {databaseOf("PRAGMA application_id = 7"), sqlitestore.ErrForeign},
		"only a version":            {databaseOf("PRAGMA user_version = 1"), sqlitestore.ErrForeign},
		"no application":            {databaseOf("CREATE TABLE session (x)"), sqlitestore.ErrForeign},
		"another one in WAL":        {databaseOf("PRAGMA journal_mode = WAL; PRAGMA application_id = 7; CREATE TABLE t (x)"), sqlitestore.ErrForeign},
		"another one after a crash": {crashedDatabase, sqlitestore.ErrForeign},
		"a newer schema":            {databaseOf("PRAGMA application_id = 0x524D4453; PRAGMA user_version = 1000; CREATE TABLE t (x)"), sqlitestore.ErrNewer},
		"our id and no schema":      {databaseOf("PRAGMA application_id = 0x524D4453"), sqlitestore.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			c.make(t, path)
			before := contents(t, filepath.Dir(path))
			_, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
			if !errors.Is(err, c.want) {
				t.Errorf("Open = %v, want one that is %v", err, c.want)
			}
			if after := contents(t, filepath.Dir(path)); after != before {
				t.Error("the refused file was changed, or another left beside it")
			}
		})
	}
}

func TestRefusedDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: dir}); !errors.Is(err, sqlitestore.ErrForeign) {
		t.Errorf("Open = %v, want one that is ErrForeign", err)
	}
	if contents(t, dir) != "" {
		t.Error("the directory was written to")
	}
}

func fileOf(text string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func databaseOf(script string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db := rawDB(t, path)
		if _, err := db.ExecContext(t.Context(), script); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crashedDatabase is a foreign one whose last changes are still in its WAL.
func crashedDatabase(t *testing.T, path string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source.db")
	db := rawDB(t, source)
	if _, err := db.ExecContext(t.Context(), "PRAGMA journal_mode = WAL; CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(source + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func rawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// contents is the names and bytes of the files in a directory, but for the
// index of a WAL, which readers rebuild.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-shm") {
			all.WriteString(e.Name())
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(e.Name() + "\x00" + string(b))
	}
	return all.String()
}
