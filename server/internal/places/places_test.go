package places_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/internal/places"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "places.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlace(t *testing.T) {
	t.Parallel()
	table, err := places.Open(file(t, `# ours
0.0.0.0/0, Somewhere
192.0.2.0/24,Lisbon
192.0.2.128/25,"Porto, north"
2001:db8::/32,Évora
`))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"192.0.2.1": "Lisbon", "192.0.2.200": "Porto, north", "198.51.100.1": "Somewhere", "::ffff:192.0.2.1": "Lisbon",
		"2001:db8:1::1": "Évora", "fe80::1%eth0": "", "::1": "",
	} {
		if got := table.Place(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if got := table.Place(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	path := file(t, "192.0.2.1/24,a\nx,b\n192.0.2.0/24\n192.0.2.0/24,\n198.51.100.0/24,c\n198.51.100.0/24,d\n10.0.0.0/8,\"e\n"+strings.Repeat("y,z\n", 100))
	_, err := places.Open(path)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{path + ":1: ", path + ":2: ", path + ":3: ", path + ":4: ", path + ":6: 198.51.100.0/24 is there twice"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n > 20 {
		t.Errorf("%d lines", n)
	}
	if _, err := places.Open(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing file")
	}
}
