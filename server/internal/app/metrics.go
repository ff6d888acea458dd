package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/event"
	"github.com/remuda-go/remuda/revocation"
)

// The names of the metrics; docs/metrics.md says what each is.
var (
	descStaleness = prometheus.NewDesc("remuda_revocation_staleness_seconds",
		"How old this node's view of the revocation log is.", nil, nil)
	descDegraded = prometheus.NewDesc("remuda_revocation_degraded_seconds_total",
		"For how long the view was older than max_staleness.", nil, nil)
	descEntries = prometheus.NewDesc("remuda_revocation_entries",
		"Entries of the revocation log held in memory.", []string{"scope"}, nil)
	descBytes = prometheus.NewDesc("remuda_revocation_bytes",
		"Memory taken by the entries of single sessions.", nil, nil)
	descLatency = prometheus.NewDesc("remuda_revocation_latency_seconds",
		"How long entries took from being appended, anywhere, to their effect on this node.", nil, nil)
	descDecisions = prometheus.NewDesc("remuda_decisions_total",
		"What came of requests with an access token.", []string{"decision"}, nil)
	descClock = prometheus.NewDesc("remuda_clock_offset_seconds",
		"How far the machine's clock is behind the time by which sessions are judged.", nil, nil)
	descBuild = prometheus.NewDesc("remuda_build_info",
		"Always 1; the labels say which build runs.", []string{"version", "revision", "goversion"}, nil)
)

// managerCollector makes metrics of what a manager tells of itself.
type managerCollector struct{ manager *remuda.Manager }

var _ prometheus.Collector = managerCollector{}

// Describe implements [prometheus.Collector].
func (managerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descStaleness, descDegraded, descEntries, descBytes, descLatency, descDecisions, descClock,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c managerCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.manager.Stats()
	for _, d := range remuda.Decisions() {
		ch <- prometheus.MustNewConstMetric(descDecisions, prometheus.CounterValue, float64(s.Decisions[d]), d.String())
	}
	ch <- prometheus.MustNewConstMetric(descClock, prometheus.GaugeValue, s.Clock.Seconds())
	if s.Log != nil {
		collectLog(ch, s.Log)
	}
}

func collectLog(ch chan<- prometheus.Metric, s *remuda.LogStats) {
	staleness := s.Staleness.Seconds()
	if s.Staleness == math.MaxInt64 { // the log has not been read yet
		staleness = math.Inf(1)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descStaleness, staleness)
	gauge(descEntries, float64(s.Sessions), "session")
	gauge(descEntries, float64(s.Wide), "wide")
	gauge(descBytes, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(descDegraded, prometheus.CounterValue, s.Stats.Degraded.Seconds())
	ch <- latencyHistogram(s)
}

// latencyHistogram adds up the buckets, which [revocation.Stats] counts apart.
func latencyHistogram(s *remuda.LogStats) prometheus.Metric {
	buckets := make(map[float64]uint64, len(revocation.LatencyBounds))
	sum := uint64(0)
	for i, bound := range revocation.LatencyBounds {
		sum += s.Latency[i]
		buckets[bound.Seconds()] = sum
	}
	sum += s.Latency[len(revocation.LatencyBounds)]
	return prometheus.MustNewConstHistogram(descLatency, sum, s.LatencySum.Seconds(), buckets)
}

// eventCounter counts events by kind. The kinds are a closed list.
type eventCounter struct{ *prometheus.CounterVec }

var _ event.Sink = eventCounter{}

func newEventCounter() eventCounter {
	return eventCounter{prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "remuda_events_total", Help: "What happened on this node."}, []string{"kind"},
	)}
}

// Emit implements [event.Sink].
func (c eventCounter) Emit(e event.Event) { c.WithLabelValues(string(e.Kind)).Inc() }

// metrics are on a listener of their own.
type metrics struct {
	ln       net.Listener
	registry *prometheus.Registry
}

// openMetrics opens the listener, if there is to be one. The registry is not the
// global one, to which any library may add.
func (a *App) openMetrics(ctx context.Context) error {
	if a.cfg.MetricsListen == "" {
		return nil
	}
	m := &metrics{registry: prometheus.NewRegistry()}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		managerCollector{a.manager},
		a.events.counted, a.events.lost(), a.unkept(), a.unsent(), buildInfo(),
	} {
		if err := m.registry.Register(c); err != nil {
			return err
		}
	}
	var err error
	if m.ln, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.MetricsListen); err != nil {
		return fmt.Errorf("metrics_listen: %w", err)
	}
	a.metrics = m
	a.onClose(func(context.Context) error { _ = m.ln.Close(); return nil }) // who served it has closed it
	return nil
}

func buildInfo() prometheus.Collector {
	b := ReadBuild()
	return constant{prometheus.MustNewConstMetric(descBuild, prometheus.GaugeValue, 1, b.Version, b.Revision, b.Go)}
}

// constant is a metric that does not change.
type constant struct{ prometheus.Metric }

// Describe implements [prometheus.Collector].
func (c constant) Describe(ch chan<- *prometheus.Desc) { ch <- c.Desc() }

// Collect implements [prometheus.Collector].
func (c constant) Collect(ch chan<- prometheus.Metric) { ch <- c.Metric }

// MetricsURL is where the metrics are found, or "".
func (a *App) MetricsURL() string {
	if a.metrics == nil {
		return ""
	}
	return URL(a.metrics.ln, false) + "/metrics"
}

// metricsTimeout bounds every part of a request for metrics.
const metricsTimeout = 10 * time.Second

// serveMetrics answers until the context ends: also while the server drains.
func (a *App) serveMetrics(ctx context.Context) {
	if a.metrics == nil {
		return
	}
	errorLog := slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog, MaxRequestsInFlight: 4, Timeout: metricsTimeout,
	}))
	srv := &http.Server{
		Handler: mux, ErrorLog: errorLog, MaxHeaderBytes: maxHeaderBytes,
		ReadTimeout: metricsTimeout, WriteTimeout: 2 * metricsTimeout, IdleTimeout: idleTimeout,
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })() // nobody waits for metrics of the past
	if err := srv.Serve(a.metrics.ln); !errors.Is(err, http.ErrServerClosed) {
		a.log.ErrorContext(ctx, "no more metrics", "error", err)
	}
}
