package app_test

import (
	"bytes"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/remuda-go/remuda/server/internal/app"
)

// metered is a server whose metrics are served.
func metered(t *testing.T) *server {
	t.Helper()
	cfg := configIn(t.TempDir())
	cfg.MetricsListen = "127.0.0.1:0"
	return start(t, cfg, nil)
}

// scrape returns the metrics as text.
func (s *server) scrape(t *testing.T) string {
	t.Helper()
	elsewhere := *s
	elsewhere.url = strings.TrimSuffix(s.metrics, "/metrics")
	res, body := elsewhere.get(t, "/metrics")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d %v: %s", res.StatusCode, res.Header, body)
	}
	return body
}

// The names follow Prometheus' conventions, and all that are ours are documented.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	s := metered(t)
	text := s.scrape(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	document, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var served, documented []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (remuda_\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		served = append(served, m[1]+" "+m[2])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(remuda_[a-z_]+)[^`]*` \\| (\\w+) ").FindAllStringSubmatch(string(document), -1) {
		documented = append(documented, m[1]+" "+m[2])
	}
	slices.Sort(documented)
	documented = slices.Compact(documented)
	if len(served) < 7 || !slices.Contains(served, "remuda_revocation_staleness_seconds gauge") {
		t.Errorf("what is served is %q", served)
	}
	for _, m := range served {
		if !slices.Contains(documented, m) {
			t.Errorf("%s is not in docs/metrics.md", m)
		}
	}
	for _, m := range documented {
		// It has no value before the first event.
		if !slices.Contains(served, m) && m != "remuda_events_total counter" {
			t.Errorf("%s is in docs/metrics.md, and is not served", m)
		}
	}
}

// What happens is counted.
func TestMetricsCount(t *testing.T) {
	t.Parallel()
	s := metered(t)
	login := func(body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/auth/token/login", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	login(`{"username":"nobody","password":"is not here"}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/auth/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer nonsense")
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for _, want := range []string{
		`remuda_decisions_total{decision="invalid"} 1`, `remuda_decisions_total{decision="accepted"} 0`,
		`remuda_events_total{kind="login.failed"} 1`, `remuda_events_dropped_total 0`,
		`remuda_revocation_entries{scope="session"} 0`, `remuda_revocation_entries{scope="wide"} 0`,
		`remuda_revocation_latency_seconds_count 0`, `remuda_revocation_latency_seconds_bucket{le="+Inf"} 0`,
		`remuda_build_info{goversion="go1`, "go_goroutines ", "process_start_time_seconds ",
	} {
		// Events are counted beside the request that causes them.
		for deadline := newDeadline(); !strings.Contains(s.scrape(t), want); {
			if deadline.over() {
				t.Fatalf("no %s in:\n%s", want, s.scrape(t))
			}
		}
	}
}

// Metrics are on their own listener, and nothing else is; the public one does not
// know them.
func TestMetricsAreApart(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-13.4.5")
	s := metered(t)
	if res, _ := s.get(t, "/metrics"); res.StatusCode != http.StatusNotFound {
		t.Errorf("in public: %d", res.StatusCode)
	}
	elsewhere := *s
	elsewhere.url = strings.TrimSuffix(s.metrics, "/metrics")
	for _, path := range []string{"/", "/livez", "/auth/session", "/metrics/"} {
		if res, _ := elsewhere.get(t, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s beside the metrics: %d", path, res.StatusCode)
		}
	}
	if none := start(t, configIn(t.TempDir()), nil); none.metrics != "" {
		t.Errorf("metrics that nobody asked for are at %s", none.metrics)
	}
}

func TestMetricsPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := configIn(t.TempDir())
	cfg.MetricsListen = ln.Addr().String()
	if _, err := app.New(t.Context(), app.Options{Config: cfg, Log: discard()}); err == nil || !strings.Contains(err.Error(), "metrics_listen: ") {
		t.Errorf("got %v", err)
	}
}
