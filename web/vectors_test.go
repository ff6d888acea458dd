package web_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/codectest"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
	"github.com/remuda-go/remuda/web"
	"github.com/remuda-go/remuda/web/webtest"
)

// askedStore counts everything that a request could ask it.
type askedStore struct {
	*memstore.Store

	asked atomic.Int64
}

func (s *askedStore) Get(ctx context.Context, id store.ID) (store.Record, error) {
	s.asked.Add(1)
	return s.Store.Get(ctx, id)
}

func (s *askedStore) Create(ctx context.Context, r store.Record) error {
	s.asked.Add(1)
	return s.Store.Create(ctx, r)
}

func (s *askedStore) Update(ctx context.Context, r store.Record, was store.Version) error {
	s.asked.Add(1)
	return s.Store.Update(ctx, r, was)
}

func (s *askedStore) List(ctx context.Context, o store.Owner, after store.ID) iter.Seq2[store.Record, error] {
	s.asked.Add(1)
	return s.Store.List(ctx, o, after)
}

func (s *askedStore) Touch(ctx context.Context, batch []store.Touch) error {
	s.asked.Add(1)
	return s.Store.Touch(ctx, batch)
}

func (s *askedStore) Append(ctx context.Context, entries ...store.Entry) error {
	s.asked.Add(1)
	return s.Store.Append(ctx, entries...)
}

func (s *askedStore) GetItem(ctx context.Context, kind, key string, now time.Time) (store.Item, error) {
	s.asked.Add(1)
	return s.Store.GetItem(ctx, kind, key, now)
}

// manySite is a site with all profiles, in a bubble, and its store.
func manySite(t *testing.T) (*site, *askedStore) {
	t.Helper()
	asked := &askedStore{Store: memstore.New()}
	s := newSite(t, func(c *remuda.Config, _ *web.Config) {
		c.Store, c.Profiles = asked, webtest.Profiles()
		if err := c.Keys.Ensure(t.Context(), codec.HS256, codec.EdDSA, codec.ES256, codec.V4Local, codec.V4Public, codec.Opaque); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Wait() // until the log has been read
	return s, asked
}

// Whatever is malformed gets one answer on every path, and nobody looks it up.
func TestMalformedTokens(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-6.8.2")
	t.Attr("requirement", "ASVS-11.2.5")
	t.Attr("requirement", "BCP-4.14.b")
	t.Attr("requirement", "ASVS-9.1.1")
	t.Attr("requirement", "ASVS-7.2.1")
	type kind struct {
		alg       codec.Algorithm
		cred      remuda.Credential
		transport remuda.Transport
		renewal   remuda.Renewal
		byAccess  bool
	}
	done := map[kind]bool{}
	for _, p := range webtest.Profiles() {
		k := kind{p.Algorithm, p.Credential, p.Transport, p.Renewal, p.Rotation.ByAccess}
		if done[k] {
			continue // the same tokens by the same ways
		}
		done[k] = true
		if raceEnabled && p.Algorithm != "" && !p.Algorithm.Symmetric() {
			continue // the same ways; only the primitives differ, and take minutes
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, asked := manySite(t)
				g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice", AMR: []string{"pwd"}, Claims: map[string]string{"name": "Alice"}})
				if err != nil {
					t.Fatal(err)
				}
				for _, token := range []string{g.Access.Reveal(), g.Refresh.Reveal()} {
					if token == "" {
						continue // this profile has no refresh tokens
					}
					corpus := malformed(t, s.ring.KeySet(), token)
					before := asked.asked.Load()
					for name, variant := range corpus {
						s.refuses(name, variant)
						s.refusesOverHTTP(name, variant, token, g.Session.ID)
					}
					if n := asked.asked.Load() - before; n != 0 {
						t.Errorf("the store was asked %d times", n)
					}
				}
			})
		})
	}
}

// refuses checks the paths of the library.
func (s *site) refuses(name, token string) {
	s.t.Helper()
	ctx := s.t.Context()
	for _, way := range []remuda.Transport{remuda.Cookie, remuda.Bearer} {
		_, authenticate := s.manager.Authenticate(ctx, remuda.AuthenticateRequest{Token: token, Transport: way})
		_, refresh := s.manager.Refresh(ctx, remuda.RefreshRequest{Token: token, Transport: way})
		_, extend := s.manager.Extend(ctx, remuda.ExtendRequest{Token: token, Transport: way})
		_, identify := s.manager.Identify(token, way)
		for path, err := range map[string]error{"Authenticate": authenticate, "Refresh": refresh, "Extend": extend, "Identify": identify} {
			if !errors.Is(err, remuda.ErrTokenInvalid) || err.Error() != remuda.ErrTokenInvalid.Error() {
				s.t.Errorf("%s: %s by %v: %v", name, path, way, err)
			}
		}
	}
}

// maxRead is the longest body that is read.
const maxRead = 64 << 10

// refusesOverHTTP checks the paths over HTTP: one answer in each place.
func (s *site) refusesOverHTTP(name, variant, token string, id remuda.SessionID) {
	s.t.Helper()
	for place, r := range s.everywhere(variant, id) {
		inHeader := place != "refresh body"
		if inHeader && !fitsHeader(variant) || strings.HasSuffix(place, "cookie") && inCookie(variant) == token {
			continue // it cannot come, or comes as the token itself
		}
		a := s.do(r)
		switch {
		case !inHeader && variant == "":
			expect(s.t, a, 401, "token_missing", "login")
		case !inHeader && len(variant) > maxRead:
			expect(s.t, a, 413, "request_too_large", "none")
		default:
			expect(s.t, a, 401, "token_invalid", "login")
			if a.text("detail") != "" || a.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
				s.t.Errorf("%s as %s: %v %s", name, place, a.header, a.body)
			}
		}
		if s.t.Failed() {
			s.t.Fatalf("%s as %s: %.200q", name, place, variant)
		}
	}
}

// fitsHeader reports whether net/http lets a value through (RFC 9110 section 5.5).
func fitsHeader(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// inCookie is what is left of a value in a Cookie header.
func inCookie(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return strings.Trim(v, " \t")
}

// malformed returns hostile variants of a token of any form.
func malformed(t *testing.T, keys *codec.KeySet, token string) map[string]string {
	t.Helper()
	every := 1
	if strings.HasPrefix(token, "ey") {
		every = 7 // a JWT has more variants
	}
	all := changed(token, every)
	switch {
	case strings.HasPrefix(token, "v4.public."):
		for name, payload := range codectest.Payloads(string(message(t, token))) {
			all["payload: "+name] = signPublic(t, keys, token, payload)
		}
	case strings.HasPrefix(token, "ey"):
		key, sign := signer(t, keys, token)
		maps.Copy(all, codectest.Malformed(token, nil))
		for name, variant := range codectest.Malformed(token, sign) {
			all["signed, "+name] = variant
		}
		if key.Public != nil {
			maps.Copy(all, codectest.Confused(token, key.Public))
		}
	}
	delete(all, "empty") // once is enough
	all["empty"] = ""
	return all
}

// changed returns variants that need no understanding of the token: each
// character (or every nth) another, cut, longer, under other names.
func changed(token string, every int) map[string]string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	all := map[string]string{}
	for i := 0; i < len(token); i += every {
		other := "A"
		if at := strings.IndexByte(alphabet, token[i]); at >= 0 {
			other = string(alphabet[(at+1)%len(alphabet)])
		}
		all[fmt.Sprintf("byte %d changed", i)] = token[:i] + other + token[i+1:]
		all[fmt.Sprintf("cut at %d", i)] = token[:i]
	}
	for _, end := range []string{"A", "=", ".", "..", " ", "\n", "\r\n", "\x00", "\t", ";", ",", ".A", "é", "%00"} {
		all[fmt.Sprintf("%q after", end)] = token + end
		all[fmt.Sprintf("%q before", end)] = end + token
		all[fmt.Sprintf("%q inside", end)] = token[:20] + end + token[20:]
	}
	parts := strings.Split(token, ".")
	all["without its last part"] = strings.Join(parts[:len(parts)-1], ".")
	all["last part twice"] = token + "." + parts[len(parts)-1]
	all["parts the other way round"] = func() string { slices.Reverse(parts); return strings.Join(parts, ".") }()
	all["upper case"], all["lower case"] = strings.ToUpper(token), strings.ToLower(token)
	all["1 MB more"] = token + strings.Repeat("A", 1<<20)
	for _, prefix := range []string{"v1.local.", "v2.local.", "v2.public.", "v3.local.", "v3.public.", "v4.local.", "v4.public.", "V4.local.", "rmd_at_", "rmd_rt_", "rmd_ho_", "rmd_", "v4.", "ey"} {
		for _, own := range []string{"v4.local.", "v4.public.", "rmd_at_"} {
			if rest, ok := strings.CutPrefix(token, own); ok && prefix != own {
				all[prefix+" for "+own] = prefix + rest
			}
		}
		all[prefix+" alone"], all[prefix+" before"] = prefix, prefix+token
	}
	if len(parts) == 1 { // opaque: turned round it is the same
		delete(all, "parts the other way round")
		delete(all, "without its last part")
	}
	return all
}

// signer returns the key of a JWT, and what signs with it.
func signer(t *testing.T, keys *codec.KeySet, token string) (codec.Key, codectest.Sign) {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(keys.Keys, func(k codec.Key) bool { return strings.Contains(string(text), `"kid":"`+k.ID+`"`) })
	if i < 0 {
		t.Fatalf("no key for %s", text)
	}
	key := keys.Keys[i]
	return key, func(signed string) string {
		return signed + "." + base64.RawURLEncoding.EncodeToString(signature(t, &key, []byte(signed)))
	}
}

func signature(t *testing.T, key *codec.Key, message []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(message)
	switch key.Algorithm {
	case codec.HS256:
		mac := hmac.New(sha256.New, key.Secret)
		mac.Write(message)
		return mac.Sum(nil)
	case codec.ES256:
		der, err := key.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &rs); err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, 64)
		rs.R.FillBytes(sig[:32])
		rs.S.FillBytes(sig[32:])
		return sig
	default:
		sig, err := key.Signer.Sign(rand.Reader, message, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
}

// message is what a v4.public token says.
func message(t *testing.T, token string) []byte {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[2])
	if err != nil {
		t.Fatal(err)
	}
	return body[:len(body)-64]
}

// signPublic returns a v4.public token that says something else, with the footer
// of another, well signed.
func signPublic(t *testing.T, keys *codec.KeySet, token, payload string) string {
	t.Helper()
	encoded := strings.Split(token, ".")[3]
	footer, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(keys.Keys, func(k codec.Key) bool { return k.Algorithm == codec.V4Public && k.Sign })
	implicit := "at"
	if strings.Contains(string(footer), `"rt"`) {
		implicit = "rt"
	}
	sig := signature(t, &keys.Keys[i], pae("v4.public.", payload, string(footer), implicit))
	return "v4.public." + base64.RawURLEncoding.EncodeToString(append([]byte(payload), sig...)) + "." + encoded
}

// pae is the Pre-Authentication Encoding of PASETO.
func pae(pieces ...string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(pieces)))
	for _, p := range pieces {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// What signs variants signs good ones too: a token put together again passes.
func TestMalformedIsWellSigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := manySite(t)
		for _, p := range webtest.Profiles() {
			g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			token := g.Access.Reveal()
			switch {
			case strings.HasPrefix(token, "v4.public."):
				token = signPublic(t, s.ring.KeySet(), token, string(message(t, token)))
			case strings.HasPrefix(token, "ey"):
				_, sign := signer(t, s.ring.KeySet(), token)
				token = sign(token[:strings.LastIndexByte(token, '.')])
			}
			if _, err := s.manager.Authenticate(t.Context(), remuda.AuthenticateRequest{Token: token, Transport: p.Transport}); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	})
}

// settle lets the managers hear what time it is.
func (s *site) settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// at sets the clock and shows a token.
// tampered changes one character near the end of what is signed.
func tampered(token string) string {
	at := len(token) - 4
	other := "A"
	if token[at:at+1] == other {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

func (s *site) at(now time.Time, p remuda.Profile, token string) *answer {
	s.t.Helper()
	s.now.Store(now.UnixNano())
	s.settle()
	how := "Authorization: Bearer " + token
	if p.Transport == remuda.Cookie {
		how = "Cookie: __Host-session=" + token
	}
	return s.do(request{"GET", "/auth/session", []string{how}, ""})
}

// A token from a clock that is ahead is good up to the leeway, to the nanosecond.
func TestLeeway(t *testing.T) {
	t.Parallel()
	const leeway = 7 * time.Second
	for _, p := range webtest.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, func(c *remuda.Config, _ *web.Config) {
					c.Profiles, c.Leeway = append(c.Profiles, p), leeway
					c.Profiles = slices.CompactFunc(slices.SortedFunc(slices.Values(c.Profiles), byName), func(a, b remuda.Profile) bool { return a.Name == b.Name })
					if err := c.Keys.Ensure(t.Context(), codec.HS256, codec.EdDSA, codec.ES256, codec.V4Local, codec.V4Public, codec.Opaque); err != nil {
						t.Fatal(err)
					}
				})
				s.settle()
				g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
				if err != nil {
					t.Fatal(err)
				}
				issued, token := s.time(), g.Access.Reveal()
				expect(t, s.at(issued.Add(-leeway), p, token), 200, "", "")
				a := s.at(issued.Add(-leeway-1), p, token)
				if p.Credential == remuda.Opaque {
					expect(t, a, 200, "", "") // it does not say when it was issued
					return
				}
				expect(t, a, 401, "token_invalid", "login")
				if err := s.refreshed(g, p); !errors.Is(err, remuda.ErrTokenInvalid) {
					t.Errorf("refresh: %v", err)
				}
				if p.Renewal == remuda.Rotate {
					s.now.Store(issued.Add(-leeway).UnixNano())
					if err := s.refreshed(g, p); err != nil && !errors.Is(err, remuda.ErrRefreshTooEarly) {
						t.Errorf("refresh: %v", err)
					}
				}
			})
		})
	}
}

// refreshed shows what a grant is refreshed with.
func (s *site) refreshed(g remuda.Grant, p remuda.Profile) error {
	token := g.Refresh.Reveal()
	if token == "" {
		token = g.Access.Reveal()
	}
	_, err := s.manager.Refresh(s.t.Context(), remuda.RefreshRequest{Token: token, Transport: p.Transport})
	return err
}

func byName(a, b remuda.Profile) int { return strings.Compare(a.Name, b.Name) }

// An expiry has no leeway: a token is good up to the last nanosecond before.
func TestExpiry(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "BUG CVE-2024-51744")
	t.Attr("requirement", "ASVS-9.2.1")
	t.Attr("requirement", "NIST-5")
	t.Attr("requirement", "ASVS-10.4.8")
	for _, p := range webtest.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, _ := manySite(t)
				g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
				if err != nil {
					t.Fatal(err)
				}
				code, action := "token_expired", "refresh"
				if p.Credential == remuda.Opaque || p.Renewal == remuda.Fixed {
					code, action = "session_expired", "login"
				}
				expect(t, s.at(g.AccessExpires, p, g.Access.Reveal()), http.StatusUnauthorized, code, action)
				expect(t, s.at(g.AccessExpires, p, tampered(g.Access.Reveal())), http.StatusUnauthorized, "token_invalid", "login")
				expect(t, s.at(g.AccessExpires.Add(-1), p, g.Access.Reveal()), http.StatusOK, "", "")
				if p.Renewal != remuda.Rotate {
					return
				}
				// A session ends for the refresh endpoint just so.
				for off, want := range map[time.Duration]error{-1: nil, 0: remuda.ErrSessionExpired} {
					s.now.Add(int64(time.Hour))
					g, err := s.manager.Start(t.Context(), remuda.StartRequest{Profile: p.Name, Subject: "alice"})
					if err != nil {
						t.Fatal(err)
					}
					s.now.Store(g.Session.IdleExpires.Add(off).UnixNano())
					s.settle()
					if err := s.refreshed(g, p); !errors.Is(err, want) {
						t.Errorf("refresh %v from the idle end: %v, want %v", off, err, want)
					}
				}
			})
		})
	}
}
