package server_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strconv"
	"testing"
)

// A disk that is full signs nobody out: what would have to be written is 503,
// what need not be is served, and when there is room again everything goes on.
// The server's files may not grow past a limit, which is what a full disk is to
// it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	config := installed(t, strictConfig)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "prlimit", "--fsize=200000:unlimited", path, "serve", "--config", config)
	u := &user{name: "alice", password: "a long password", http: http.DefaultClient, base: func(context.Context) (string, error) { return p.base, nil }}
	if err := u.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := ""
	for range 10000 {
		held = u.refresh
		if err = u.renew(t.Context(), ""); err != nil {
			break
		}
	}
	if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != http.StatusServiceUnavailable {
		t.Fatalf("a refresh on a full disk: %v", err)
	}
	if err := u.use(t.Context()); err != nil {
		t.Errorf("a request that writes nothing: %v", err)
	}
	other := &user{name: "alice", password: "a long password", http: u.http, base: u.base}
	err = other.login(t.Context())
	if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != http.StatusServiceUnavailable {
		t.Errorf("a login on a full disk: %v", err)
	}
	lift := exec.CommandContext(t.Context(), "prlimit", "--fsize=unlimited", "--pid", strconv.Itoa(p.cmd.Process.Pid))
	if out, err := lift.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	u.refresh = held
	if err := u.renew(t.Context(), ""); err != nil {
		t.Errorf("a refresh when there is room again: %v", err)
	}
	if err := other.login(t.Context()); err != nil {
		t.Errorf("a login when there is room again: %v", err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}
