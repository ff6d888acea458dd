package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/codec/opaque"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
)

// told is what operators are told of the refusals of some sites, and what their
// clients have sent that nobody may be told.
type told struct {
	t       *testing.T
	mu      sync.Mutex
	list    []*web.Refusal
	secrets []string
}

// secret is what may be one in a header or a body.
var secret = regexp.MustCompile(`[A-Za-z0-9_+-]{20,}|sesame open|wrong word`)

func (l *told) refused(r *http.Request, f *web.Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
}

// site is a site of which everything is told.
func (l *told) site(change ...func(*remuda.Config, *web.Config)) *site {
	l.t.Helper()
	return l.watch(newSite(l.t, append(change, l.listen)...))
}

func (l *told) listen(_ *remuda.Config, w *web.Config) { w.Refused = l.refused }

func (l *told) watch(s *site) *site {
	next := s.handler
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		l.mu.Lock()
		for _, name := range []string{"Authorization", "Cookie", "X-Csrf-Token", "Idempotency-Key"} {
			for _, v := range r.Header[name] {
				l.secrets = append(l.secrets, secret.FindAllString(v, -1)...)
			}
		}
		l.secrets = append(l.secrets, secret.FindAllString(string(body), -1)...)
		l.mu.Unlock()
		next.ServeHTTP(w, r)
	})
	return s
}

// node is a site over the store and the ring of another.
func (l *told) node(of *site, change ...func(*remuda.Config, *web.Config)) *site {
	l.t.Helper()
	share := func(c *remuda.Config, w *web.Config) {
		c.Store, c.Keys, c.Now, w.Keys = of.store, of.ring, of.time, of.ring
	}
	return l.site(append([]func(*remuda.Config, *web.Config){share}, change...)...)
}

// profile changes the api profile.
func api(change func(*remuda.Profile)) func(*remuda.Config, *web.Config) {
	return func(c *remuda.Config, _ *web.Config) {
		c.Profiles = []remuda.Profile{remuda.Web(), remuda.API()}
		change(&c.Profiles[1])
	}
}

func (s *site) hello(token string) *answer {
	return s.do(request{"GET", "/hello", []string{"Authorization: Bearer " + token}, ""})
}

func (s *site) refresh(token string, more ...string) *answer {
	r := s.refreshing(token)
	r.headers = append(r.headers, more...)
	return s.do(r)
}

// resigned is a token with other claims, made by the ring.
func (s *site) resigned(typ codec.Type, token string, change func(*codec.Claims)) string {
	s.t.Helper()
	c, of := codec.Codec(jwt.New(s.ring)), codec.Claims{}
	if strings.HasPrefix(token, "rmd_") {
		c = opaque.New(s.ring)
	}
	if err := c.Verify(&of, typ, token); err != nil {
		s.t.Fatal(err)
	}
	change(&of)
	signed, err := c.Sign(nil, &of)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(signed)
}

// deaf is a store whose log cannot be followed while it is set, on a clock of its
// own.
type deaf struct {
	*memstore.Store

	cut   atomic.Bool
	ahead time.Duration
	now   func() time.Time
}

var errCut = errors.New("the log is cut")

func (d *deaf) Follow(ctx context.Context, after store.Cursor, now func() time.Time) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		for b, err := range d.Store.Follow(ctx, after, now) {
			if d.cut.Load() {
				b, err = store.Batch{}, errCut
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (d *deaf) Time(context.Context) (time.Time, error) { return d.now().Add(d.ahead), nil }

// deafSite does not hear the log, and has been silent for a minute.
func (l *told) deafSite(change func(*remuda.Profile), more ...func(*remuda.Config, *web.Config)) (*site, *deaf, string) {
	l.t.Helper()
	d := &deaf{Store: memstore.New()}
	s := l.site(append([]func(*remuda.Config, *web.Config){api(change), func(c *remuda.Config, _ *web.Config) {
		c.Store, d.now = d, c.Now
	}}, more...)...)
	waitReady(l.t, s)
	access, _, _ := s.tokens()
	d.cut.Store(true)
	time.Sleep(2 * store.Heartbeat) // what is under way is yielded
	s.advance(time.Minute)
	return s, d, access
}

func waitReady(t *testing.T, s *site) {
	t.Helper()
	for s.manager.Ready(t.Context()) != nil {
		time.Sleep(time.Millisecond)
	}
}

// place keeps a ring, and cannot be read while it is broken.
type place struct {
	mu      sync.Mutex
	text    []byte
	version int
	broken  bool
}

func (p *place) Load(context.Context) ([]byte, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.broken:
		return nil, "", errors.New("the source is broken")
	case p.version == 0:
		return nil, "", fs.ErrNotExist
	}
	return p.text, fmt.Sprint(p.version), nil
}

func (p *place) Save(_ context.Context, text []byte, _ string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.version = text, p.version+1
	return fmt.Sprint(p.version), nil
}

// liveRing gives a site a ring that can change.
func (l *told) liveRing(s **keyring.Ring, p *place) func(*remuda.Config, *web.Config) {
	return func(c *remuda.Config, w *web.Config) {
		var err error
		if *s, err = keyring.Open(l.t.Context(), keyring.Config{Source: p, Create: true, Now: c.Now}); err != nil {
			l.t.Fatal(err)
		}
		c.Keys, w.Keys = *s, *s
	}
}

// kill compromises the key of an algorithm, in the source alone.
func kill(t *testing.T, ring *keyring.Ring, alg codec.Algorithm) {
	t.Helper()
	for _, k := range ring.List() {
		if k.Algorithm == alg && k.State == keyring.Active {
			if err := ring.Compromise(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no active key of %s in %v", alg, ring.List())
}

// as is an authenticator that decides by a function.
type askedBy func(web.Credentials) (web.Identity, error)

func (f askedBy) Authenticate(_ context.Context, c web.Credentials) (web.Identity, error) {
	return f(c)
}

const own = "Origin: " + origin

// provoked is, for each reason, a request that is refused for it.
var provoked = map[remuda.Reason]struct {
	code web.Code
	by   func(l *told) *answer
}{
	remuda.ReasonMalformed: {"token_invalid", func(l *told) *answer { return l.site().hello("no.token") }},
	remuda.ReasonKeyUnknown: {"token_invalid", func(l *told) *answer {
		access, _, _ := l.site().tokens()
		return l.site().hello(access)
	}},
	remuda.ReasonKeyDead: {"token_invalid", func(l *told) *answer {
		var ring *keyring.Ring
		s := l.site(l.liveRing(&ring, &place{}))
		access, _, _ := s.tokens()
		kill(l.t, ring, codec.HS256)
		return s.hello(access)
	}},
	remuda.ReasonSignature: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return s.hello(access[:strings.LastIndexByte(access, '.')+1] + strings.Repeat("A", 43))
	}},
	remuda.ReasonTokenType: {"token_invalid", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		return s.hello(refresh)
	}},
	remuda.ReasonNotRotating: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return s.refresh(access)
	}},
	remuda.ReasonNotRenewed: {"token_missing", func(l *told) *answer {
		b := l.site().signedIn()
		delete(b.cookies, "__Host-refresh")
		return b.do("POST", "/auth/web/refresh", "")
	}},
	remuda.ReasonProfile: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return l.node(s, func(c *remuda.Config, _ *web.Config) { c.Profiles = c.Profiles[:1] }).hello(access)
	}},
	remuda.ReasonTransport: {"token_invalid", func(l *told) *answer {
		b := l.site().signedIn()
		return b.s.hello(b.cookies["__Host-session"])
	}},
	remuda.ReasonCredential: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return l.node(s, api(func(p *remuda.Profile) { p.Credential = remuda.PASETO })).hello(access)
	}},
	remuda.ReasonIssuer: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return l.node(s, func(c *remuda.Config, _ *web.Config) { c.Issuer = "https://new.example" }).hello(access)
	}},
	remuda.ReasonAudience: {"token_invalid", func(l *told) *answer {
		b := l.site().signedIn()
		return b.s.refresh(b.cookies["__Host-refresh"])
	}},
	remuda.ReasonIssuedAhead: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		s.advance(-time.Hour)
		return s.hello(access)
	}},
	remuda.ReasonSubject: {"token_invalid", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		return s.hello(s.resigned(codec.Access, access, func(c *codec.Claims) { c.Anon = true }))
	}},
	remuda.ReasonNoRecord: {"token_invalid", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		return l.node(s, func(c *remuda.Config, _ *web.Config) { c.Store = memstore.New() }).refresh(refresh)
	}},
	remuda.ReasonRecordDiffers: {"token_invalid", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		return s.refresh(s.resigned(codec.Refresh, refresh, func(c *codec.Claims) { c.Subject = c.Add("bob") }))
	}},
	remuda.ReasonNotDerived: {"token_invalid", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		return s.refresh(s.resigned(codec.Refresh, refresh, func(c *codec.Claims) { c.JTI[0]++ }))
	}},
	remuda.ReasonLeftBehind: {"token_expired", func(l *told) *answer {
		s := l.site(api(func(p *remuda.Profile) { p.Liveness, p.Rotation.OneAccessToken = remuda.LiveStore, true }))
		access, refresh, _ := s.tokens()
		for range 2 {
			s.advance(2 * time.Minute)
			refresh = s.refresh(refresh).text("refresh_token")
		}
		return s.hello(access)
	}},
	remuda.ReasonHandOffGone: {"token_invalid", func(l *told) *answer {
		_, g, body := l.handed()
		g.do("POST", redeemPath, body, fetches)
		return g.do("POST", redeemPath, body, fetches)
	}},
	remuda.ReasonHandOffTarget: {"token_invalid", func(l *told) *answer {
		_, g, body := l.handed()
		headers := slices.Clone(fetches)
		headers[0] = "Origin: https://www.shop.example"
		return g.do("POST", redeemPath, body, headers)
	}},
	remuda.ReasonHandOffBrowser: {"token_invalid", func(l *told) *answer {
		_, g, body := l.handed()
		clear(g.cookies)
		return g.do("POST", redeemPath, body, fetches)
	}},
	remuda.ReasonHandOffParent: {"token_invalid", func(l *told) *answer {
		b, g, body := l.handed()
		b.do("POST", "/auth/web/logout", "")
		return g.do("POST", redeemPath, body, fetches)
	}},
	"already_signed_in": {"already_signed_in", func(l *told) *answer {
		_, g, body := l.handed()
		a := g.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`, fetches)
		if a.status != http.StatusOK {
			l.t.Fatal(a.body)
		}
		return g.do("POST", redeemPath, body, fetches)
	}},
	remuda.ReasonTokenExpired: {"token_expired", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		s.advance(time.Hour)
		return s.hello(access)
	}},
	remuda.ReasonIdle: {"session_expired", func(l *told) *answer {
		b := l.site().signedIn()
		b.s.advance(time.Hour)
		return b.do("POST", "/auth/web/refresh", "")
	}},
	remuda.ReasonAbsolute: {"session_expired", func(l *told) *answer {
		b := l.site().signedIn()
		b.s.advance(24 * time.Hour)
		return b.do("POST", "/auth/web/refresh", "")
	}},
	remuda.ReasonEnded: {"session_ended", func(l *told) *answer {
		s := l.site()
		access, refresh, _ := s.tokens()
		s.do(request{"POST", "/auth/token/logout", []string{"Authorization: Bearer " + access}, ""})
		return s.refresh(refresh)
	}},
	remuda.ReasonLogEntry: {"session_ended", func(l *told) *answer {
		s := l.site()
		access, _, _ := s.tokens()
		s.do(request{"POST", "/auth/token/logout?all=1", []string{"Authorization: Bearer " + access}, ""})
		return s.hello(access)
	}},
	remuda.ReasonWideEnding: {"session_ended", func(l *told) *answer {
		s, d, access := l.deafSite(func(p *remuda.Profile) { p.Outage = remuda.OutageCheck })
		value, _ := json.Marshal([]store.Entry{{Scope: store.ScopeProfile, Target: "api", Before: s.time(), Until: s.time().Add(time.Hour), At: s.time(), Reason: "admin"}})
		if err := d.CreateItem(l.t.Context(), "cut-off", "wide", store.Item{Value: value, Expires: s.time().Add(time.Hour), Version: store.Version{1}}, s.time()); err != nil {
			l.t.Fatal(err)
		}
		return s.hello(access)
	}},
	remuda.ReasonSealedDead: {"session_ended", func(l *told) *answer {
		var ring *keyring.Ring
		s := l.site(l.liveRing(&ring, &place{}))
		_, refresh, _ := s.tokens()
		kill(l.t, ring, keyring.Root)
		return s.refresh(refresh)
	}},
	remuda.ReasonRolledBack: {"session_ended", func(l *told) *answer {
		s := l.site(api(func(p *remuda.Profile) { p.Rotation.Ahead = remuda.AheadEnd }))
		_, refresh, id := s.tokens()
		before := s.record(id)
		s.advance(2 * time.Minute)
		refresh = s.refresh(refresh).text("refresh_token")
		if err := s.store.Update(l.t.Context(), before, s.record(id).Version); err != nil {
			l.t.Fatal(err)
		}
		return s.refresh(refresh)
	}},
	remuda.ReasonOvertaken: {"session_ended", func(l *told) *answer {
		var s *site
		var during atomic.Bool
		s = l.site(func(_ *remuda.Config, w *web.Config) {
			w.Authenticator = askedBy(func(web.Credentials) (web.Identity, error) {
				if during.Load() {
					s.advance(time.Second)
					_, err := s.manager.EndAll(l.t.Context(), remuda.EndAllRequest{Subject: "alice"})
					return web.Identity{Subject: "alice"}, err
				}
				return web.Identity{Subject: "alice"}, nil
			})
		})
		s.tokens()
		during.Store(true)
		return s.do(request{"POST", "/auth/token/login", nil, goodLogin})
	}},
	remuda.ReasonReusePrevious: {"refresh_reused", func(l *told) *answer {
		s := l.site()
		_, first, _ := s.tokens()
		s.advance(2 * time.Minute)
		s.refresh(s.refresh(first).text("refresh_token"))
		s.advance(time.Hour)
		return s.refresh(first)
	}},
	remuda.ReasonReuseStale: {"refresh_reused", func(l *told) *answer {
		s := l.site()
		_, first, _ := s.tokens()
		for refresh, n := first, 0; n < 2; n++ {
			s.advance(2 * time.Minute)
			refresh = s.refresh(refresh).text("refresh_token")
		}
		return s.refresh(first)
	}},
	remuda.ReasonReuseShadowed: {"refresh_reused", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		a := &answer{status: http.StatusOK}
		for n := 0; n < 12 && a.status == http.StatusOK; n++ {
			s.advance(2 * time.Minute)
			if a = s.refresh(refresh); a.status != http.StatusOK {
				break
			}
			s.advance(20 * time.Second)
			a = s.refresh(refresh) // as if the answer had been lost
			refresh = a.text("refresh_token")
		}
		return a
	}},
	remuda.ReasonSuperseded: {"refresh_superseded", func(l *told) *answer {
		s := l.site()
		const firefox, curl = "User-Agent: Mozilla/5.0 (X11; Linux) Firefox/140.0", "User-Agent: curl/8"
		_, first, _ := s.tokens()
		s.advance(2 * time.Minute)
		s.refresh(s.refresh(first, firefox).text("refresh_token"), firefox)
		return s.refresh(first, curl)
	}},
	remuda.ReasonTooEarly: {"refresh_too_early", func(l *told) *answer {
		s := l.site(api(func(p *remuda.Profile) { p.Rotation.Early = remuda.EarlyRefuse }))
		_, refresh, _ := s.tokens()
		s.advance(2 * time.Minute)
		return s.refresh(refresh)
	}},
	remuda.ReasonReplays: {"rate_limited", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		s.advance(2 * time.Minute)
		a := s.refresh(refresh)
		for n := 0; n < 200 && a.status == http.StatusOK; n++ {
			a = s.refresh(refresh)
		}
		return a
	}},
	remuda.ReasonStore: {"unavailable", func(l *told) *answer {
		s := l.site()
		_, refresh, _ := s.tokens()
		s.store.broken.Store(true)
		return s.refresh(refresh)
	}},
	remuda.ReasonLogStale: {"unavailable", func(l *told) *answer {
		s, _, access := l.deafSite(func(p *remuda.Profile) { p.Outage = remuda.OutageDeny })
		return s.hello(access)
	}},
	remuda.ReasonClock: {"unavailable", func(l *told) *answer {
		d := &deaf{Store: memstore.New(), ahead: time.Hour}
		s := l.site(func(c *remuda.Config, _ *web.Config) { c.Store, d.now = d, c.Now })
		return s.do(request{"POST", "/auth/token/login", nil, goodLogin})
	}},
	remuda.ReasonKeysUnread: {"unavailable", func(l *told) *answer {
		var ring *keyring.Ring
		p := &place{}
		s, _, access := l.deafSite(func(p *remuda.Profile) { p.Outage = remuda.OutageCheck }, l.liveRing(&ring, p))
		p.mu.Lock()
		p.broken = true
		p.mu.Unlock()
		return s.hello(access)
	}},
	web.ReasonNoCredential: {"token_missing", func(l *told) *answer { return l.site().do(request{"GET", "/hello", nil, ""}) }},
	web.ReasonAnonymous: {"token_missing", func(l *told) *answer {
		s := l.site()
		rec := httptest.NewRecorder()
		s.web.Anonymous("web", http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequestWithContext(l.t.Context(), "GET", "/", nil))
		return s.do(request{"GET", "/hello", []string{"Cookie: " + strings.Split(rec.Header().Get("Set-Cookie"), ";")[0]}, ""})
	}},
	web.ReasonBearerForm: {"token_invalid", func(l *told) *answer {
		return l.site().do(request{"GET", "/hello", []string{"Authorization: Bearer,x"}, ""})
	}},
	web.ReasonBearerDPoP: {"token_invalid", func(l *told) *answer {
		return l.site().do(request{"GET", "/hello", []string{"Authorization: DPoP x"}, ""})
	}},
	web.ReasonCookiesMany: {"token_invalid", func(l *told) *answer {
		return l.site().do(request{"GET", "/hello", []string{"Cookie: __Host-session=1; __Host-session=2; __Host-session=3; __Host-session=4; __Host-session=5"}, ""})
	}},
	web.ReasonCookiesGood: {"token_invalid", func(l *told) *answer {
		s := l.site()
		return s.do(request{"GET", "/hello", []string{
			"Cookie: __Host-session=" + s.signedIn().cookies["__Host-session"], "Cookie: __Host-session=" + s.signedIn().cookies["__Host-session"],
		}, ""})
	}},
	web.ReasonOriginRepeated: {"csrf_failed", func(l *told) *answer { return l.login(own, own) }},
	web.ReasonOriginMissing:  {"csrf_failed", func(l *told) *answer { return l.login() }},
	web.ReasonOriginUnlisted: {"csrf_failed", func(l *told) *answer { return l.login("Origin: https://evil.example") }},
	web.ReasonOriginOther: {"csrf_failed", func(l *told) *answer {
		_, g, body := l.handed()
		return g.do("POST", redeemPath, body, []string{"Origin: https://www.shop.example", "Sec-Fetch-Site: same-site"})
	}},
	web.ReasonSite: {"csrf_failed", func(l *told) *answer { return l.login("Sec-Fetch-Site: cross-site") }},
	web.ReasonCSRFMissing: {"csrf_failed", func(l *told) *answer {
		b := l.site().signedIn()
		b.csrf = ""
		return b.do("POST", "/hello", "")
	}},
	web.ReasonCSRFRepeated: {"csrf_failed", func(l *told) *answer {
		b := l.site().signedIn()
		return b.do("POST", "/hello", "", "X-CSRF-Token: "+b.csrf)
	}},
	web.ReasonCSRFWrong: {"csrf_failed", func(l *told) *answer {
		s := l.site()
		b := s.signedIn()
		b.csrf = s.signedIn().csrf
		return b.do("POST", "/hello", "")
	}},
	web.ReasonNotRecent: {"step_up_required", func(l *told) *answer {
		b := l.site().signedIn()
		b.s.advance(5 * time.Minute)
		return b.do("GET", "/important", "")
	}},
	web.ReasonLevel: {"step_up_required", func(l *told) *answer {
		return l.site().signedIn().do("GET", "/level", "")
	}},
	web.ReasonNotConfirmed: {"step_up_required", func(l *told) *answer {
		return l.site().signedIn().do("GET", "/confirmed", "")
	}},
	remuda.ReasonContinuationForm: {"continuation_invalid", func(l *told) *answer {
		return l.site().signedIn().do("POST", "/confirmed", "", "Remuda-Continuation: x")
	}},
	remuda.ReasonContinuationSession: {"continuation_invalid", func(l *told) *answer {
		s := l.site()
		b, other := s.signedIn(), s.signedIn()
		c := confirmed(b)
		return other.do("POST", "/confirmed", "", "Remuda-Continuation: "+c)
	}},
	remuda.ReasonContinuationRequest: {"continuation_invalid", func(l *told) *answer {
		b := l.site().signedIn()
		return b.do("POST", "/confirmed?x=1", "", "Remuda-Continuation: "+confirmed(b))
	}},
	remuda.ReasonContinuationOld: {"continuation_invalid", func(l *told) *answer {
		b := l.site(func(c *remuda.Config, _ *web.Config) { c.Profiles[0].Access = 20 * time.Minute }).signedIn()
		c := confirmed(b)
		b.s.advance(remuda.ContinuationLife + time.Second)
		return b.do("POST", "/confirmed", "", "Remuda-Continuation: "+c)
	}},
	remuda.ReasonContinuationUngranted: {"continuation_invalid", func(l *told) *answer {
		b := l.site().signedIn()
		return b.do("POST", "/confirmed", "", "Remuda-Continuation: "+b.do("POST", "/confirmed", "").text("continuation"))
	}},
	"continuation_used": {"continuation_used", func(l *told) *answer {
		b := l.site().signedIn()
		c := confirmed(b)
		b.do("POST", "/confirmed", "", "Remuda-Continuation: "+c)
		return b.do("POST", "/confirmed", "", "Remuda-Continuation: "+c)
	}},
	"session_switched": {"session_switched", func(l *told) *answer {
		return l.site().signedIn().do("GET", "/hello", "", "Remuda-Session: another")
	}},
	"accounts_full": {"accounts_full", func(l *told) *answer {
		b := l.site(func(_ *remuda.Config, w *web.Config) { w.Authenticator = town{} }).browser()
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			expect(l.t, add(b, name), 200, "", "")
		}
		return add(b, "f")
	}},
	"impersonating": {"impersonating", func(l *told) *answer {
		_, b := l.acting()
		return b.do("GET", "/important", "")
	}},
	"impersonation_refused": {"impersonation_refused", func(l *told) *answer {
		_, b := l.acting()
		return b.s.signedIn().do("POST", "/auth/impersonate", `{"subject":"bob"}`)
	}},
	remuda.ReasonActorEnded: {"session_ended", func(l *told) *answer {
		own, b := l.acting()
		s := b.s
		// The process that ends bob's session dies before it comes to this one.
		at := s.time().Add(time.Second)
		err := s.store.Append(l.t.Context(), store.Entry{
			ID: store.ID{1}, Scope: store.ScopeSession, Target: string(own[:]), At: at, Until: at.Add(24 * time.Hour), Reason: "logout",
		})
		if err != nil {
			l.t.Fatal(err)
		}
		for b.do("GET", "/hello", "").status == http.StatusOK { // until it is heard
			time.Sleep(time.Millisecond)
		}
		return b.do("GET", "/hello", "")
	}},
	web.ReasonOtherUser: {"login_failed", func(l *told) *answer {
		s := l.site(func(_ *remuda.Config, w *web.Config) {
			w.Authenticator = askedBy(func(c web.Credentials) (web.Identity, error) {
				return web.Identity{Subject: map[bool]string{true: "alice", false: "bob"}[c.Subject == ""]}, nil
			})
		})
		return s.signedIn().do("POST", "/auth/step-up", `{"password":"sesame open"}`)
	}},
	web.ReasonLoginThrottled: {"rate_limited", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", nil, `{"username":"busy","password":"wrong word"}`})
	}},
	web.ReasonAuthenticator: {"unavailable", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", nil, `{"username":"broken","password":"wrong word"}`})
	}},
	"login_failed": {"login_failed", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", nil, `{"username":"alice","password":"wrong word"}`})
	}},
	"session_limit": {"session_limit", func(l *told) *answer {
		s := l.site(api(func(p *remuda.Profile) { p.MaxSessions, p.AtLimit = 1, remuda.LimitRefuse }))
		s.tokens()
		return s.do(request{"POST", "/auth/token/login", nil, goodLogin})
	}},
	"request_invalid": {"request_invalid", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", nil, `{"username":"alice","pasword":"wrong word"}`})
	}},
	"not_found":          {"not_found", func(l *told) *answer { return l.site().do(request{"GET", "/nowhere", nil, ""}) }},
	"method_not_allowed": {"method_not_allowed", func(l *told) *answer { return l.site().do(request{"GET", "/auth/web/login", nil, ""}) }},
	"request_too_large": {"request_too_large", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", nil, strings.Repeat(" ", 65<<10)})
	}},
	"unsupported_media_type": {"unsupported_media_type", func(l *told) *answer {
		return l.site().do(request{"POST", "/auth/token/login", []string{"Content-Type: text/plain"}, goodLogin})
	}},
	"internal": {"internal", func(l *told) *answer {
		s := l.site()
		s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.web.WriteProblem(w, r, errors.New("a bug")) })
		return s.do(request{"GET", "/", nil, ""})
	}},
}

// confirmed returns a continuation for a POST of /confirmed, granted.
func confirmed(b *browser) string {
	c := b.do("POST", "/confirmed", "").text("continuation")
	expect(b.s.t, stepUpFor(b, c), 200, "", "")
	return c
}

// acting returns the session of bob and the browser in which he acts for alice.
func (l *told) acting() (own remuda.SessionID, b *browser) {
	s := l.site(func(_ *remuda.Config, w *web.Config) { w.Impersonators = newHelpDesk() })
	b = s.browser()
	expect(l.t, b.do("POST", "/auth/web/login", `{"username":"bob","password":"bobs secret"}`), 200, "", "")
	own, err := remuda.ParseSessionID(b.session)
	if err != nil {
		l.t.Fatal(err)
	}
	expect(l.t, b.do("POST", "/auth/impersonate", actFor), 200, "", "")
	return own, b
}

func (l *told) login(headers ...string) *answer {
	l.t.Helper()
	return l.site().do(request{"POST", "/auth/web/login", headers, goodLogin})
}

// handed is a hand-off on its way between two sites of which everything is told.
func (l *told) handed() (*browser, *guest, string) {
	l.t.Helper()
	from, to := twoSites(l.t, l.listen)
	return handed(l.t, l.watch(from), l.watch(to))
}

// facts are those that each reason has to come with; a reason that is not here has
// none that must be.
var facts = map[remuda.Reason]string{
	remuda.ReasonCredential: "format wanted", remuda.ReasonKeyUnknown: "credential key", remuda.ReasonKeyDead: "key key_state", remuda.ReasonSignature: "key",
	remuda.ReasonTokenType: "token_type wanted session subject key", remuda.ReasonTransport: "transport wanted session",
	remuda.ReasonIssuer: "issuer wanted", remuda.ReasonAudience: "audience wanted", remuda.ReasonIssuedAhead: "issued by clock_offset",
	remuda.ReasonNoRecord: "session gen subject", remuda.ReasonLeftBehind: "gen newest",
	remuda.ReasonTokenExpired: "credential expired by clock_offset key session subject profile",
	remuda.ReasonIdle:         "idle_expired by clock_offset last_seen session", remuda.ReasonAbsolute: "expired by session",
	remuda.ReasonEnded: "end_reason ended by session", remuda.ReasonLogEntry: "scope staleness session begun_before",
	remuda.ReasonWideEnding: "scope end_reason begun_before staleness outage", remuda.ReasonReuseStale: "newest gen window_age",
	remuda.ReasonTooEarly: "after", remuda.ReasonLogStale: "staleness max_staleness outage", remuda.ReasonClock: "clock_offset leeway",
	web.ReasonNoCredential: "refresh_cookie", web.ReasonCookiesMany: "credential of", web.ReasonOriginUnlisted: "origin",
	web.ReasonSite: "site", web.ReasonCSRFWrong: "session", web.ReasonNotRecent: "session subject age wanted",
	web.ReasonLevel: "session subject acr wanted", web.ReasonNotConfirmed: "session subject", remuda.ReasonActorEnded: "actor_session because session",
	remuda.ReasonContinuationSession: "session", remuda.ReasonContinuationOld: "refused by",
	web.ReasonLoginThrottled: "after", "request_invalid": "detail",
}

// Some reasons are found in two places.
func TestReasonsFoundElsewhere(t *testing.T) {
	t.Parallel()
	l := &told{t: t}
	s := l.site(api(func(p *remuda.Profile) { p.Idle, p.Absolute = time.Hour, 24*time.Hour }))
	access, refresh, _ := s.tokens()
	_, second, _ := s.tokens()
	for _, c := range []struct {
		name string
		ask  func()
		want remuda.Reason
		fact string
	}{
		{"the audience of an access token", func() {
			l.node(s, api(func(p *remuda.Profile) { p.Audience = "urn:other" })).hello(access)
		}, remuda.ReasonAudience, "wanted=urn:other"},
		{"the issuer of a refresh token", func() {
			l.node(s, func(c *remuda.Config, _ *web.Config) { c.Issuer = shop }).refresh(refresh)
		}, remuda.ReasonIssuer, "wanted=" + shop},
		{"a session that is asked for by its id", func() {
			deaf, d, access := l.deafSite(func(p *remuda.Profile) { p.Outage = remuda.OutageServe })
			id, err := deaf.manager.Identify(access, remuda.Bearer)
			if err != nil {
				t.Fatal(err)
			}
			row, err := d.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			was := row.Version
			row.EndedAt, row.EndReason, row.Version = deaf.time(), "admin", store.Version{1}
			if err := d.Update(t.Context(), row, was); err != nil {
				t.Fatal(err)
			}
			deaf.do(request{"GET", "/auth/session", []string{"Authorization: Bearer " + access}, ""})
		}, remuda.ReasonEnded, "session="},
		{"a record that was not used", func() { s.advance(2 * time.Hour); s.refresh(refresh); s.refresh(refresh) }, remuda.ReasonIdle, "ended="},
		{"a record that is old", func() { s.advance(25 * time.Hour); s.refresh(second); s.refresh(second) }, remuda.ReasonAbsolute, "ended="},
	} {
		c.ask()
		step := l.list[len(l.list)-1].Steps[0]
		if step.Reason != c.want || !strings.Contains(fmt.Sprint(step.Facts), c.fact) {
			t.Errorf("%s: %v", c.name, step)
		}
	}
}

// Of several values of a cookie, and of a token that can be renewed in two ways, all
// that was tried is told, and nothing twice.
func TestSteps(t *testing.T) {
	t.Parallel()
	l := &told{t: t}
	s := l.site()
	b := s.signedIn()
	access, refresh, _ := s.tokens()
	elsewhere := l.site()
	foreign := elsewhere.signedIn()
	s.advance(15 * time.Minute)
	for name, c := range map[string]struct {
		r    request
		want string
	}{
		"two values": {
			request{"GET", "/hello", []string{"Cookie: __Host-session=" + b.cookies["__Host-session"] + "; __Host-session=" + foreign.cookies["__Host-session"]}, ""},
			"access_expired __Host-session 1 2; key_unknown __Host-session 2 2",
		},
		"two cookies": {
			request{"GET", "/auth/web/csrf", []string{"Cookie: __Host-session=x; __Host-refresh=" + foreign.cookies["__Host-refresh"]}, ""},
			"malformed __Host-session; key_unknown __Host-refresh",
		},
		"neither way":   {s.refreshing(access), "not_rotating bearer; not_renewed bearer"},
		"for one way":   {s.refreshing(s.resigned(codec.Refresh, refresh, func(c *codec.Claims) { c.JTI[0]++ })), "not_derived bearer"},
		"for no way":    {s.refreshing("x"), "malformed bearer"},
		"in the body":   {request{"POST", "/auth/token/refresh", nil, `{"refresh_token":"x"}`}, "malformed body"},
		"a logout":      {request{"POST", "/auth/token/logout", nil, `{"refresh_token":"x"}`}, "malformed body"},
		"as a cookie":   {request{"POST", "/auth/web/refresh", []string{own, "Cookie: __Host-refresh=x"}, ""}, "malformed __Host-refresh"},
		"an odd origin": {request{"POST", "/auth/web/login", []string{"Origin: https://" + strings.Repeat("a", 40) + ".example"}, goodLogin}, "origin_unlisted other"},
		"no origin":     {request{"POST", "/auth/web/login", []string{"Origin: " + strings.ToUpper(origin)}, goodLogin}, "origin_unlisted other"},
	} {
		s.do(c.r)
		var got []string
		for _, step := range l.list[len(l.list)-1].Steps {
			text := string(step.Reason)
			for _, f := range step.Facts {
				if slices.Contains([]string{"credential", "value", "of", "origin"}, f.Key) {
					text += " " + f.Value.String()
				}
			}
			got = append(got, text)
		}
		if got := strings.Join(got, "; "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func (s *site) refreshing(token string) request {
	return request{"POST", "/auth/token/refresh", []string{"Authorization: Bearer " + token}, ""}
}

// Every reason is provoked by a request, and told under the id that its client has,
// with what was found and with nothing that was secret.
func TestReasons(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-9.2.2")
	t.Attr("requirement", "ASVS-9.2.3")
	t.Attr("requirement", "ASVS-9.2.4")
	t.Attr("requirement", "ASVS-10.3.1")
	t.Attr("requirement", "JWT-3.8")
	t.Attr("requirement", "JWT-3.9")
	t.Attr("requirement", "AT-iss")
	t.Attr("requirement", "ASVS-16.3.2")
	t.Attr("requirement", "BUG CVE-2024-5798, CVE-2026-55669, CVE-2026-30223")
	codes := map[web.Code]bool{}
	for why, c := range provoked {
		codes[c.code] = true
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			l := &told{t: t}
			a := c.by(l)
			if web.Code(a.code()) != c.code {
				t.Fatalf("%d %s", a.status, a.body)
			}
			i := slices.IndexFunc(l.list, func(f *web.Refusal) bool { return f.RequestID == a.text("request_id") })
			if i < 0 {
				t.Fatalf("nothing is told of %s", a.text("request_id"))
			}
			f := l.list[i]
			if f.Code != c.code || f.Status != a.status || string(f.Action) != a.action() || f.Time.IsZero() {
				t.Errorf("told %+v of %s", f, a.body)
			}
			i = slices.IndexFunc(f.Steps, func(s web.Step) bool { return s.Reason == why })
			if i < 0 {
				t.Fatalf("the steps are %+v", f.Steps)
			}
			var names []string
			for _, fact := range f.Steps[i].Facts {
				names = append(names, fact.Key)
			}
			for name := range strings.FieldsSeq(facts[why]) {
				if !slices.Contains(names, name) {
					t.Errorf("%s is not told: %v", name, f.Steps[i].Facts)
				}
			}
			for _, f := range l.list {
				text := fmt.Sprintf("%+v", *f)
				for _, s := range l.secrets {
					if strings.Contains(text, s) {
						t.Errorf("%q was sent, and stands in %s", s, text)
					}
				}
			}
		})
	}
	for _, why := range web.Reasons() {
		if _, ok := provoked[why]; !ok {
			t.Errorf("no request provokes %s", why)
		}
	}
	for _, c := range web.Codes() {
		if !codes[c.Code] {
			t.Errorf("no request is refused as %s", c.Code)
		}
	}
	if len(provoked) != len(web.Reasons()) {
		t.Errorf("%d are provoked of %d", len(provoked), len(web.Reasons()))
	}
}
