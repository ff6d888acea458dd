package refusals_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remuda-go/remuda/server/internal/refusals"
)

func config(t *testing.T) refusals.Config {
	t.Helper()
	return refusals.Config{Path: filepath.Join(t.TempDir(), "refusals.db"), Keep: time.Hour, Log: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, cfg refusals.Config) *refusals.Keeper {
	t.Helper()
	k, err := refusals.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func entry(code string, n int) refusals.Entry {
	return refusals.Entry{
		RequestID: fmt.Sprintf("%s%022d", "REQ", n), Time: time.Now(), Code: code, Status: 401, Action: "login", Method: "GET", Path: "/x",
		Steps: []refusals.Step{{Reason: "idle", Facts: map[string]any{"by": "3s", "session": strings.Repeat("A", 22), "subject": strings.Repeat("s", 255)}}},
	}
}

// fill keeps n entries of a code, none of which is dropped.
func fill(t *testing.T, cfg refusals.Config, code string, from, to int) {
	t.Helper()
	for ; from < to; from += 1000 { // fewer than may wait
		k := open(t, cfg)
		for n := from; n < min(from+1000, to); n++ {
			k.Add(entry(code, n))
		}
		if err := k.Close(); err != nil || k.Dropped() > 0 {
			t.Fatalf("%d dropped, %v", k.Dropped(), err)
		}
	}
}

func has(t *testing.T, cfg refusals.Config, e refusals.Entry) bool {
	t.Helper()
	_, err := refusals.Find(t.Context(), cfg.Path, e.RequestID)
	if err != nil && !errors.Is(err, refusals.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// A refusal is found while the keeper runs, as it was, and after it.
func TestFind(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	k := open(t, cfg)
	want := entry("session_expired", 1)
	k.Add(want)
	for !has(t, cfg, want) {
		time.Sleep(time.Millisecond)
	}
	got, err := refusals.Find(t.Context(), cfg.Path, want.RequestID)
	if err != nil || got.Steps[0].Reason != "idle" || got.Steps[0].Facts["by"] != "3s" || got.Status != 401 || !got.Time.Equal(want.Time) {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(cfg.Path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	second := open(t, cfg) // another server over one folder
	other := entry("session_expired", 2)
	second.Add(other)
	if err := errors.Join(second.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
	if !has(t, cfg, other) || !has(t, cfg, want) || has(t, cfg, entry("session_expired", 3)) {
		t.Error("two keepers of one file lose what they keep, or make things up")
	}
	if _, err := refusals.Find(t.Context(), cfg.Path+"x", want.RequestID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

// A flood neither waits, nor fills the disk, nor pushes out what is of another code.
func TestFlood(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	rare := entry("session_ended", 1)
	fill(t, cfg, "session_ended", 1, 2)
	k := open(t, cfg)
	const flood = 200_000
	e := entry("not_found", 2)
	begun := time.Now()
	for range flood {
		k.Add(e)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%d refusals took %v of those who were refused", flood, took)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k.Dropped() < flood/2 {
		t.Errorf("%d of %d were dropped", k.Dropped(), flood)
	}
	fill(t, cfg, "not_found", 10, 5010)
	info, err := os.Stat(cfg.Path)
	if err != nil || info.Size() > 2<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if !has(t, cfg, rare) || has(t, cfg, entry("not_found", 4009)) || !has(t, cfg, entry("not_found", 4010)) || !has(t, cfg, entry("not_found", 5009)) {
		t.Error("what is kept is not the last thousand of each code")
	}
}

// What is too old goes, and leaves nothing in the file.
func TestAge(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	k := open(t, cfg)
	old := entry("idle", 1)
	old.Time = time.Now().Add(-59 * time.Minute)
	old.Path = "/somewhere"
	k.Add(old)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if !has(t, cfg, old) {
		t.Fatal("it is gone too early")
	}
	cfg.Keep = 58 * time.Minute
	if err := open(t, cfg).Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cfg.Path)
	if err != nil || has(t, cfg, old) || strings.Contains(string(text), "/somewhere") {
		t.Errorf("it is still there: %v", err)
	}
}

// A file that is not ours, or that others may read, is refused as it is.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(path string) error
		want error
	}{
		"a text":   {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("text ", 500)), 0o600) }, refusals.ErrForeign},
		"exposed":  {func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o644)) }, refusals.ErrExposed},
		"a folder": {func(path string) error { return os.Mkdir(path, 0o700) }, refusals.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "exposed" && runtime.GOOS == "windows" {
				t.Skip("there are no such modes")
			}
			cfg := config(t)
			if err := c.make(cfg.Path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(cfg.Path)
			if k, err := refusals.Open(t.Context(), cfg); !errors.Is(err, c.want) {
				t.Errorf("%v, %v", k, err)
			}
			if after, _ := os.ReadFile(cfg.Path); string(after) != string(before) {
				t.Error("it was changed")
			}
		})
	}
}

// A keeper whose file is lost drops, counts and goes on.
func TestBroken(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	told := make(chan string, 10)
	cfg.Log = slog.New(tell(told))
	k := open(t, cfg)
	if err := os.WriteFile(cfg.Path, []byte(strings.Repeat("text ", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Add(entry("idle", 1))
	if got := <-told + "; " + <-told; got != "refusals: write failed; refusals not kept" || k.Dropped() != 1 {
		t.Errorf("told %q, dropped %d", got, k.Dropped())
	}
	_ = k.Close()
}

// tell is a log that sends what it is told.
type tell chan string

func (tell) Enabled(context.Context, slog.Level) bool        { return true }
func (l tell) Handle(_ context.Context, r slog.Record) error { l <- r.Message; return nil }
func (l tell) WithAttrs([]slog.Attr) slog.Handler            { return l }
func (l tell) WithGroup(string) slog.Handler                 { return l }
