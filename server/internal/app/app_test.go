package app_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server is one that runs.
type server struct {
	url     string
	metrics string // the URL of the metrics
	log     *lockedBuffer
	client  *http.Client
	stop    context.CancelFunc
	done    chan error
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// deadline is how long a test waits for what must come.
type deadline time.Time

func newDeadline() deadline { return deadline(time.Now().Add(30 * time.Second)) }

func (d deadline) over() bool { return time.Now().After(time.Time(d)) }

func configIn(dir string) config.Config {
	c := config.Default()
	c.Data, c.Origins = dir, []string{"http://localhost:8080"}
	c.Derive()
	return c
}

// start runs an app until the test ends.
func start(t *testing.T, cfg config.Config, mount func(app.Parts) (http.Handler, error)) *server {
	t.Helper()
	s := &server{log: &lockedBuffer{}, done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.New(t.Context(), app.Options{Config: cfg, Log: log, Mount: mount})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.metrics = app.URL(ln, cfg.HasTLS()), a.MetricsURL()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	s.client = &http.Client{Transport: transport}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { s.done <- errors.Join(a.Serve(ctx, ln), a.Close(context.WithoutCancel(ctx))) }()
	t.Cleanup(func() {
		s.stop()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	return s
}

// get returns the status and the body.
func (s *server) get(t *testing.T, path string) (res *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err = s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestPanicsTellNothing(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-16.5.4")
	t.Attr("requirement", "ASVS-16.3.4")
	s := start(t, configIn(t.TempDir()), func(app.Parts) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/late":
				_, _ = io.WriteString(w, "half an ans")
				_ = http.NewResponseController(w).Flush()
			case "/runtime":
				_ = []string{}[len(r.URL.Path)]
			}
			panic("the password is hunter22")
		}), nil
	})
	for _, path := range []string{"/", "/runtime"} {
		res, body := s.get(t, path)
		if res.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "hunter22") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if res.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: no security headers", path)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/late", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("half an answer looks whole")
	}
	_ = res.Body.Close()
	log := s.log.String()
	if strings.Contains(log, "hunter22") {
		t.Error("the value of a panic is logged")
	}
	for _, want := range []string{"msg=panic", "a string", "index out of range", "app_test.go"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
}

func TestReadyWhileTheStoreAnswers(t *testing.T) {
	t.Parallel()
	cfg := configIn(t.TempDir())
	s := start(t, cfg, nil)
	if res, body := s.get(t, "/readyz"); res.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if err := os.Rename(cfg.Database, cfg.Database+".gone"); err != nil {
		t.Fatal(err)
	}
	res, body := s.get(t, "/readyz")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `"code":"unavailable"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("without its file: %d %s", res.StatusCode, body)
	}
	if strings.Contains(body, "sessions.db") {
		t.Errorf("the answer tells of files: %s", body)
	}
	if res, _ := s.get(t, "/livez"); res.StatusCode != http.StatusOK {
		t.Errorf("alive without its file: %d", res.StatusCode)
	}
}

// A request under way is finished; a connection that is open is told that the
// server is not ready; nobody new gets in.
func TestDrain(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, configIn(t.TempDir()), func(app.Parts) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "done")
		}), nil
	})
	answer := make(chan string, 1)
	go func() {
		_, body := s.get(t, "/slow")
		answer <- body
	}()
	<-entered
	s.stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break // nobody new gets in
		}
		_ = conn.Close()
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	err := <-s.done
	s.done <- err
	if !strings.Contains(s.log.String(), "msg=stopping") || strings.Contains(s.log.String(), "cut off") {
		t.Errorf("the log:\n%s", s.log)
	}
}

// What would never end by itself is told to, and waited for: an answer, and a
// connection that a handler has taken over.
func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()
	var said atomic.Int32
	s := start(t, configIn(t.TempDir()), func(p app.Parts) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/taken" {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
				<-p.Stopping
				<-time.After(200 * time.Millisecond) // a last word takes its time
				said.Add(1)
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-p.Stopping
			said.Add(1)
		}), nil
	})
	for _, path := range []string{"/stream", "/taken"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	begin := time.Now()
	s.stop()
	err := <-s.done
	s.done <- err
	if took := time.Since(begin); took > 8*time.Second || said.Load() != 2 {
		t.Errorf("%d of 2 were waited for; it took %v", said.Load(), took)
	}
	if strings.Contains(s.log.String(), "cut off") {
		t.Errorf("the log:\n%s", s.log)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cfg := configIn(t.TempDir())
	cfg.Origins = []string{"https://localhost:8080"}
	cfg.TLS = selfSigned(t)
	s := start(t, cfg, nil)
	res, _ := s.get(t, "/livez")
	if res.StatusCode != http.StatusOK || res.Header.Get("Strict-Transport-Security") == "" || res.ProtoMajor != 2 {
		t.Errorf("%d, HTTP/%d, %v", res.StatusCode, res.ProtoMajor, res.Header)
	}
}

func selfSigned(t *testing.T) config.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: cert}, files.Key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, configIn(t.TempDir()), nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("a", 80<<10))
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

// What fails to start leaves nothing open and no new ring.
func TestLostRingLeavesNothing(t *testing.T) {
	t.Parallel()
	cfg := configIn(t.TempDir())
	a, err := app.New(t.Context(), app.Options{Config: cfg, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), app.Options{Config: cfg, Log: discard()}); !errors.Is(err, remuda.ErrRing) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cfg.KeysFile); err == nil {
		t.Error("a new ring was left behind")
	}
	cfg.DiscardSessionsOfLostRing = true
	a, err = app.New(t.Context(), app.Options{Config: cfg, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Several servers that start at once on empty files share one ring.
func TestManyFirstStarts(t *testing.T) {
	t.Parallel()
	cfg := configIn(t.TempDir())
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			a, err := app.New(t.Context(), app.Options{Config: cfg, Log: discard()})
			if err != nil {
				t.Error(err)
				return
			}
			if err := a.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := app.Listen(t.Context(), ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "taken by another program") {
		t.Errorf("got %v", err)
	}
}
