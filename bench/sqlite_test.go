package bench_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/driver/sqlitestore"
	"github.com/remuda-go/remuda/keyring"
)

// onSQLite returns a manager whose writes are synced before they are
// acknowledged, and whose every refresh rotates.
func onSQLite(b *testing.B) *remuda.Manager {
	b.Helper()
	s, err := sqlitestore.Open(b.Context(), sqlitestore.Config{Path: filepath.Join(b.TempDir(), "sessions.db")})
	if err != nil {
		b.Fatal(err)
	}
	keys, err := keyring.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	p := remuda.API()
	p.MaxSessions, p.Rotation = 0, remuda.Rotation{}
	m, err := remuda.New(b.Context(), remuda.Config{Store: s, Keys: keys, Issuer: "https://app.example", Profiles: []remuda.Profile{p}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		m.Close(b.Context())
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}

func login(b *testing.B, m *remuda.Manager) remuda.Grant {
	b.Helper()
	g, err := m.Start(b.Context(), remuda.StartRequest{Profile: "api", Subject: "alice"})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func renew(b *testing.B, m *remuda.Manager, g remuda.Grant) remuda.Grant {
	b.Helper()
	g, err := m.Refresh(b.Context(), remuda.RefreshRequest{Token: g.Refresh.Reveal(), Transport: remuda.Bearer})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkSQLite is what a login (without the password's hash) and a refresh
// cost where an answer means that it survives a power cut, for one caller and
// for 64, beside what a sync alone costs on this device.
func BenchmarkSQLite(b *testing.B) {
	const callers = 64
	perSecond := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	}
	b.Run("fsync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "file"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Close() })
		page := make([]byte, 4096)
		for b.Loop() {
			if _, err := f.WriteAt(page, 0); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b)
	})
	b.Run("login", func(b *testing.B) {
		m := onSQLite(b)
		for b.Loop() {
			login(b, m)
		}
		perSecond(b)
	})
	b.Run("login, 64 callers", func(b *testing.B) {
		m := onSQLite(b)
		b.SetParallelism(callers / 2)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				login(b, m)
			}
		})
		perSecond(b)
	})
	b.Run("refresh", func(b *testing.B) {
		m := onSQLite(b)
		g := login(b, m)
		for b.Loop() {
			g = renew(b, m, g)
		}
		perSecond(b)
	})
	b.Run("refresh, 64 callers", func(b *testing.B) {
		m := onSQLite(b)
		b.SetParallelism(callers / 2)
		b.RunParallel(func(pb *testing.PB) {
			g := login(b, m)
			for pb.Next() {
				g = renew(b, m, g)
			}
		})
		perSecond(b)
	})
}
