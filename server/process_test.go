package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// binary builds the server once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "remuda-test-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "remuda")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/remuda").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// process is a running server.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	base string // its URL
	done chan struct{}
	log  *tail
}

// listening is how the server says where it serves.
var listening = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// serve starts the server and returns when it says that it listens.
func serve(t testing.TB, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, path, args...)
}

// start runs a command that becomes the server.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{}), log: &tail{}}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	urls := make(chan string, 1)
	go func() {
		defer close(p.done)
		p.read(r, urls)
	}()
	select {
	case p.base = <-urls:
	case <-p.done:
		t.Fatalf("the server ended at once:\n%s", p.log)
	}
	t.Cleanup(p.kill)
	return p
}

// read keeps the end of the output and finds the URL in it.
func (p *process) read(r io.ReadCloser, urls chan<- string) {
	defer r.Close()
	lines := bufio.NewScanner(r)
	found := false
	for lines.Scan() {
		p.log.add(lines.Text())
		if url := listening.FindString(lines.Text()); url != "" && !found {
			found = true
			urls <- url
		}
	}
	_ = p.cmd.Wait()
}

// kill ends the server as a power cut would, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends the server as an operator would.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit %d:\n%s", code, p.log)
	}
	return nil
}

// tail keeps the last lines of an output.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if len(l.lines) > 200 {
		l.lines = l.lines[100:]
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := ""
	for _, line := range l.lines {
		out += line + "\n"
	}
	return out
}

// installed writes a configuration, whose %s is the data folder, adds alice and
// returns the file.
func installed(t testing.TB, text string) (config string) {
	t.Helper()
	dir := t.TempDir()
	config = filepath.Join(dir, "remuda.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, text, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	addUser(t, config, "alice", "a long password")
	return config
}

// addUser adds a user from the command line.
func addUser(t testing.TB, config, name, password string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "users", "add", name, "--config", config, "--password-stdin")
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

var errGivenUp = errors.New("the test is over")

// address is where clients find the server that runs now.
type address struct {
	mu   sync.Mutex
	up   chan struct{} // closed while a server runs
	base string
}

func newAddress() *address { return &address{up: make(chan struct{})} }

func (a *address) set(base string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.base = base
	close(a.up)
}

func (a *address) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up = make(chan struct{})
}

// get waits until a server runs.
func (a *address) get(ctx context.Context) (string, error) {
	for {
		a.mu.Lock()
		up, base := a.up, a.base
		a.mu.Unlock()
		select {
		case <-up:
			return base, nil
		case <-ctx.Done():
			return "", errGivenUp
		}
	}
}
