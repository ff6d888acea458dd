package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remuda-go/remuda/server/internal/cli"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"remuda": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// The whole binary, by scripts. Besides testscript's own commands there are:
//
//	start NAME ARGS...   run remuda ARGS; wait for the URL that it prints; set $URL
//	interrupt NAME       expect it to end well; NAME.out and NAME.log then hold
//	                     what it printed and logged (stop is testscript's own:
//	                     it ends the script there, as passed)
//	http [-until] [-jar J] [-H 'Name: value']... [-d BODY] METHOD URL STATUS
//	                     send a request and expect a status, or ask -until it
//	                     comes; the body goes to stdout, the headers to stderr
//	field VAR MEMBER     set $VAR to a JSON member of the last stdout
//	nosecret KEYS FILE VALUE...   no secret of the ring in the file KEYS, no
//	                     cookie of a jar and no part of a value stands in FILE
func TestScripts(t *testing.T) {
	t.Attr("requirement", "ASVS-16.2.5")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Values[stateKey{}] = &scriptState{running: map[string]*running{}, jars: map[string]http.CookieJar{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": cmdStart, "interrupt": cmdInterrupt, "http": cmdHTTP, "field": cmdField, "nosecret": cmdNoSecret,
		},
	})
}

type stateKey struct{}

// scriptState is what one script has going.
type scriptState struct {
	running map[string]*running
	jars    map[string]http.CookieJar
}

func stateOf(ts *testscript.TestScript) *scriptState {
	s, ok := ts.Value(stateKey{}).(*scriptState)
	if !ok {
		ts.Fatalf("the script has no state")
	}
	return s
}

// running is a server that a script has started.
type running struct {
	cmd    *exec.Cmd
	output sync.WaitGroup
}

// printed is how a server says where it serves.
var printed = regexp.MustCompile(`(?:^Now open |url=)(https?://\S+)`)

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARGS...")
	}
	name := args[0]
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	r := &running{cmd: exec.CommandContext(ctx, "remuda", args[1:]...)}
	r.cmd.Dir, r.cmd.Env = ts.Getenv("WORK"), environ(ts)
	path, err := exec.LookPath("remuda")
	ts.Check(err)
	r.cmd.Path = path
	urls := make(chan string, 2)
	r.follow(ts, name+".out", r.cmd.StdoutPipe, urls)
	r.follow(ts, name+".log", r.cmd.StderrPipe, urls)
	ts.Check(r.cmd.Start())
	ended := make(chan struct{})
	go func() { r.output.Wait(); close(ended) }()
	select {
	case url := <-urls:
		ts.Setenv("URL", url)
		stateOf(ts).running[name] = r
	case <-ended:
		_ = r.cmd.Wait()
		ts.Fatalf("%s ended at once:\n%s%s", name, ts.ReadFile(name+".out"), ts.ReadFile(name+".log"))
	}
	ts.Defer(func() {
		if _, still := stateOf(ts).running[name]; still {
			cancel()
			r.output.Wait()
			_ = r.cmd.Wait()
		}
	})
}

// environ is the script's environment.
func environ(ts *testscript.TestScript) []string {
	var list []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "REMUDA_CONFIG", "REMUDA_LISTEN", "REMUDA_KEYS_FILE", "REMUDA_KEYS_MASTER_FILE", "REMUDA_DISCARD_SESSIONS_OF_LOST_RING"} {
		if v := ts.Getenv(name); v != "" {
			list = append(list, name+"="+v)
		}
	}
	return list
}

// follow copies an output to a file, and looks for the URL in it.
func (r *running) follow(ts *testscript.TestScript, file string, pipe func() (io.ReadCloser, error), urls chan<- string) {
	from, err := pipe()
	ts.Check(err)
	to, err := os.Create(ts.MkAbs(file))
	ts.Check(err)
	r.output.Go(func() {
		defer to.Close()
		lines := bufio.NewScanner(from)
		found := false
		for lines.Scan() {
			_, _ = fmt.Fprintln(to, lines.Text())
			if m := printed.FindStringSubmatch(lines.Text()); m != nil && !found {
				found = true
				urls <- m[1]
			}
		}
	})
}

func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: interrupt NAME")
	}
	state := stateOf(ts)
	r := state.running[args[0]]
	if r == nil {
		ts.Fatalf("%s does not run", args[0])
	}
	delete(state.running, args[0])
	ts.Check(r.cmd.Process.Signal(syscall.SIGINT))
	r.output.Wait()
	if err := r.cmd.Wait(); err != nil {
		ts.Fatalf("%s: %v\n%s", args[0], err, ts.ReadFile(args[0]+".log"))
	}
}

// request is what cmdHTTP sends.
type request struct {
	method, url string
	status      int
	header      http.Header
	body        string
	jar         http.CookieJar
	until       bool // asks again as long as the status is another, for 30 seconds
}

func parseRequest(ts *testscript.TestScript, args []string) request {
	r := request{header: http.Header{}}
	for len(args) > 3 {
		switch args[0] {
		case "-until":
			r.until = true
			args = args[1:]
			continue
		case "-jar":
			jars := stateOf(ts).jars
			if jars[args[1]] == nil {
				jar, err := cookiejar.New(nil)
				ts.Check(err)
				jars[args[1]] = jar
			}
			r.jar = jars[args[1]]
		case "-H":
			name, value, _ := strings.Cut(args[1], ": ")
			r.header.Add(name, value)
		case "-d":
			r.body = args[1]
			r.header.Set("Content-Type", "application/json")
		default:
			ts.Fatalf("http: unknown option %s", args[0])
		}
		args = args[2:]
	}
	if len(args) != 3 {
		ts.Fatalf("usage: http [-until] [-jar J] [-H 'Name: value']... [-d BODY] METHOD URL STATUS")
	}
	var err error
	r.method, r.url = args[0], args[1]
	r.status, err = strconv.Atoi(args[2])
	ts.Check(err)
	return r
}

func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("http takes no !")
	}
	want := parseRequest(ts, args)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	res, body := want.send(ctx, ts)
	for want.until && res.StatusCode != want.status {
		res, body = want.send(ctx, ts) // fails when ctx ends
	}
	_, _ = ts.Stdout().Write(body)
	ts.Check(res.Header.Write(ts.Stderr()))
	if res.StatusCode != want.status {
		ts.Fatalf("%s %s: status %d, want %d:\n%s", want.method, want.url, res.StatusCode, want.status, body)
	}
}

func (r *request) send(ctx context.Context, ts *testscript.TestScript) (*http.Response, []byte) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	ts.Check(err)
	req.Header = r.header
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Jar: r.jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	ts.Check(errors.Join(err, res.Body.Close()))
	return res, body
}

func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VAR MEMBER")
	}
	member := regexp.MustCompile(`"` + regexp.QuoteMeta(args[1]) + `": ?"([^"]+)"`)
	m := member.FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no %s in:\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], m[1])
}

func cmdNoSecret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: nosecret KEYS FILE VALUE...")
	}
	var ring struct {
		Keys []struct {
			Secret string `json:"secret"`
		} `json:"keys"`
	}
	ts.Check(json.NewDecoder(bytes.NewBufferString(ts.ReadFile(args[0]))).Decode(&ring))
	if len(ring.Keys) == 0 {
		ts.Fatalf("no keys in %s", args[0])
	}
	var secrets []string
	for _, k := range ring.Keys {
		secrets = append(secrets, k.Secret)
	}
	for _, v := range args[2:] {
		secrets = append(secrets, strings.Split(v, ".")...) // each part of a token
	}
	base, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	for _, jar := range stateOf(ts).jars {
		for _, c := range jar.Cookies(base) {
			secrets = append(secrets, strings.Split(c.Value, ".")...)
		}
	}
	text := ts.ReadFile(args[1])
	if strings.TrimSpace(text) == "" {
		ts.Fatalf("%s is empty: that shows nothing", args[1])
	}
	for _, s := range secrets {
		if len(s) < 8 {
			ts.Fatalf("%q is too short to look for", s)
		}
		if strings.Contains(text, s) {
			ts.Fatalf("%s holds the secret %s", args[1], s)
		}
	}
}
