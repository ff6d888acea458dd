package sqlitestore_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/store"
)

// childEnv makes the test binary a child of a test: what it does, and its file.
const (
	childEnv     = "REMUDA_SQLITESTORE_CHILD"
	childPathEnv = "REMUDA_SQLITESTORE_PATH"
)

func TestMain(m *testing.M) {
	maps.Copy(roles, systemRoles)
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](context.Background(), os.Getenv(childPathEnv)); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

// role is what a child does with the file.
type role func(ctx context.Context, path string) error

var roles = map[string]role{
	"start":     childStart,
	"increment": childIncrement,
	"write":     childWrite,
	"lock":      childLock,
	"log":       childLog,
	"append":    childAppend,
}

// child is another process of a test.
type child struct {
	tb    testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
}

func startChild(tb testing.TB, role, path string) *child {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+role, childPathEnv+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	return &child{tb: tb, cmd: cmd, stdin: stdin, out: bufio.NewScanner(stdout)}
}

// line waits for the child to say something.
func (c *child) line() string {
	c.tb.Helper()
	if !c.out.Scan() {
		c.tb.Fatalf("the child said no more: %v, %v", c.out.Err(), c.cmd.Wait())
	}
	return c.out.Text()
}

// proceed lets the child go on.
func (c *child) proceed() { _ = c.stdin.Close() }

func (c *child) wait() {
	c.tb.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.tb.Fatalf("child: %v", err)
	}
}

// await tells the parent that the child is ready and waits for its proceed.
func await() {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func childStart(ctx context.Context, path string) error {
	await()
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return err
	}
	return errors.Join(s.Create(ctx, newRecord()), s.Close())
}

const increments = 100 // of each child

func childIncrement(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return err
	}
	await()
	for range increments {
		if err := increment(ctx, s, counterID); err != nil {
			return err
		}
	}
	return s.Close()
}

// counterID is the record that all processes count in.
var counterID = store.ID{1}

func increment(ctx context.Context, s store.Store, id store.ID) error {
	for {
		r, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		was := r.Version
		r.Version, r.Blob = newVersion(), count(counted(r)+1)
		if err := s.Update(ctx, r, was); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func count(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func counted(r store.Record) uint64 { return binary.BigEndian.Uint64(r.Blob) }

const writers = 8 // goroutines of a writing child

// childWrite counts in records of its own until it is killed, and says each
// count after it was acknowledged.
func childWrite(ctx context.Context, path string) error {
	s, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for range writers {
		go func() {
			r := newRecord()
			r.Blob = count(0)
			err := s.Create(ctx, r)
			for n := uint64(1); err == nil; n++ {
				mu.Lock()
				fmt.Println(r.ID, n-1)
				mu.Unlock()
				was := r.Version
				r.Version, r.Blob = newVersion(), count(n)
				err = s.Update(ctx, r, was)
			}
			failed <- err
		}()
	}
	return <-failed
}

// childLock holds the write lock until it may proceed.
func childLock(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	await()
	_, err = c.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, c.Close(), db.Close())
}

func TestSimultaneousFirstStarts(t *testing.T) {
	t.Parallel()
	const processes = 8
	for range 3 {
		path := newPath(t)
		var all []*child
		for range processes {
			all = append(all, startChild(t, "start", path))
		}
		for _, c := range all {
			c.line()
		}
		for _, c := range all {
			c.proceed()
		}
		for _, c := range all {
			c.wait()
		}
		s := open(t, sqlitestore.Config{Path: path})
		if n := listed(t, s); n != processes {
			t.Fatalf("%d records are there, want %d", n, processes)
		}
	}
}

func TestProcessesLoseNoUpdate(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path})
	r := newRecord()
	r.ID, r.Blob = counterID, count(0)
	create(t, s, r)
	one, two := startChild(t, "increment", path), startChild(t, "increment", path)
	one.line()
	two.line()
	one.proceed()
	two.proceed()
	for range increments {
		if err := increment(t.Context(), s, counterID); err != nil {
			t.Fatal(err)
		}
	}
	one.wait()
	two.wait()
	if n := counted(get(t, s, counterID)); n != 3*increments {
		t.Fatalf("counted %d, want %d", n, 3*increments)
	}
}

// TestKilledWriter kills a process in the middle of its writes, again and
// again. What it had acknowledged must be there, and at most one step more.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	acknowledged := map[store.ID]uint64{}
	for round := range 8 {
		c := startChild(t, "write", path)
		for i := 0; i < 20+97*round; i++ {
			noteCount(t, acknowledged, c.line())
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.out.Scan() {
			noteCount(t, acknowledged, c.out.Text())
		}
		_ = c.cmd.Wait() // killed, as wanted
		checkCounts(t, path, acknowledged)
	}
}

// noteCount reads a line of a writing child. The kill may have cut the last.
func noteCount(tb testing.TB, acknowledged map[store.ID]uint64, line string) {
	tb.Helper()
	if len(line) < 24 {
		return
	}
	id, err := store.ParseID(line[:22])
	n, err2 := strconv.ParseUint(line[23:], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		tb.Fatalf("%q: %v", line, err)
	}
	acknowledged[id] = max(acknowledged[id], n)
}

func checkCounts(t *testing.T, path string, acknowledged map[store.ID]uint64) {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range acknowledged {
		if n := counted(get(t, s, id)); n < want {
			t.Errorf("%v: %d was acknowledged, %d is there", id, want, n)
		}
	}
	if text, err := s.Ask(t.Context(), "PRAGMA integrity_check"); err != nil || text != "ok" {
		t.Errorf("integrity_check: %s, %v", text, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-15.4.3")
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path, BusyTimeout: 20 * time.Millisecond})
	r := create(t, s, newRecord())
	c := startChild(t, "lock", path)
	c.line()
	if err := s.Create(t.Context(), newRecord()); err == nil || isSentinel(err) {
		t.Errorf("Create = %v, want a failure", err)
	}
	if err := s.Update(t.Context(), next(r), r.Version); err == nil || isSentinel(err) {
		t.Errorf("Update = %v, want a failure", err)
	}
	get(t, s, r.ID) // reading goes on
	c.proceed()
	c.wait()
	if err := s.Update(t.Context(), next(r), r.Version); err != nil {
		t.Errorf("Update after the lock was released: %v", err)
	}
}

// TestCancelledWait cancels writes behind a lock that another process holds.
func TestCancelledWait(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, sqlitestore.Config{Path: path, BusyTimeout: time.Minute})
	c := startChild(t, "lock", path)
	c.line()
	ctx, cancel := context.WithCancel(t.Context())
	const n = 4
	ids, errs := make([]store.ID, n), make(chan error, n)
	for i := range n {
		r := newRecord()
		ids[i] = r.ID
		go func() { errs <- s.Create(ctx, r) }()
	}
	cancel()
	for range n {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("Create = %v, want one that is context.Canceled", err)
		}
	}
	c.proceed()
	c.wait()
	last := create(t, s, newRecord()) // behind everything that was still to come
	get(t, s, last.ID)
	for _, id := range ids {
		if r, err := s.Get(t.Context(), id); err == nil && len(r.Blob) == 0 {
			t.Errorf("half a record: %+v", r)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
	}
}
