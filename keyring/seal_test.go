package keyring_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/keyring"
)

var (
	session = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	another = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17}
)

func seal(t testing.TB, r *keyring.Ring, text string) []byte {
	t.Helper()
	blob, err := r.Seal(nil, []byte(text), "session", session)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	for _, text := range []string{"", "x", "a longer text", strings.Repeat("long", 16<<10)} {
		blob := seal(t, r, text)
		if len(text) > 4 && bytes.Contains(blob, []byte(text)) {
			t.Error("the text is readable in the blob")
		}
		got, err := r.Open([]byte("before "), blob, "session", session)
		if err != nil || string(got) != "before "+text {
			t.Errorf("Open = %.20q, %v; want what was sealed", got, err)
		}
	}
	blob, err := r.Seal([]byte("before"), []byte("text"), "session", session)
	if err != nil || !bytes.HasPrefix(blob, []byte("before")) {
		t.Errorf("Seal does not append: %q, %v", blob, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-11.3.3")
	r, other := newRing(t), newRing(t)
	blob := seal(t, r, "the text of a row")
	refuse := func(what string, r *keyring.Ring, blob []byte, kind string, id [16]byte) {
		t.Helper()
		if got, err := r.Open(nil, blob, kind, id); !errors.Is(err, keyring.ErrSealed) || got != nil {
			t.Errorf("%s: Open = %q, %v; want ErrSealed", what, got, err)
		}
	}
	refuse("another kind", r, blob, "retry", session)
	refuse("a kind with a zero", r, blob, "session\x00", session)
	refuse("no kind", r, blob, "", session)
	refuse("another session", r, blob, "session", another)
	refuse("no session", r, blob, "session", [16]byte{})
	refuse("another ring", other, blob, "session", session)
	// The same key id in front of what another ring sealed.
	foreign := seal(t, other, "the text of a row")
	refuse("another ring's blob under our key id", r, append(bytes.Clone(blob[:7]), foreign[7:]...), "session", session)
	for n := range blob {
		refuse("truncated", r, blob[:n], "session", session)
		refuse("beheaded", r, blob[n+1:], "session", session)
	}
	refuse("prolonged", r, append(bytes.Clone(blob), 0), "session", session)
	for i := range blob {
		for bit := range 8 {
			changed := bytes.Clone(blob)
			changed[i] ^= 1 << bit
			refuse("a flipped bit", r, changed, "session", session)
		}
	}
	if _, err := r.Open(nil, blob, "session", session); err != nil {
		t.Errorf("the blob itself: %v", err)
	}
}

func TestSealNonceNeverRepeats(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	const header, nonce = 7, 12
	seen := map[string]bool{}
	for range 20_000 {
		n := string(seal(t, r, "")[header : header+nonce])
		if seen[n] {
			t.Fatalf("the nonce %x repeats", n)
		}
		seen[n] = true
	}
}

func newCSRF(t testing.TB, r *keyring.Ring, id [16]byte) string {
	t.Helper()
	token, err := r.NewCSRF(id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestCSRF(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "CS-6")
	t.Attr("requirement", "BUG CVE-2023-45128, CVE-2023-45141")
	r, other := newRing(t), newRing(t)
	token := newCSRF(t, r, session)
	if len(token) != keyring.CSRFTokenLen {
		t.Errorf("%d characters, want %d", len(token), keyring.CSRFTokenLen)
	}
	seen := map[string]bool{}
	for range 1000 {
		again := newCSRF(t, r, session)
		if seen[again] || !r.CheckCSRF(session, again) {
			t.Fatalf("token %q repeats or is refused", again)
		}
		seen[again] = true
	}
	bad := map[string]string{
		"empty": "", "prolonged": token + "A", "padded": token + "=", "line feed": token + "\n",
		"line feed inside": token[:20] + "\n" + token[21:], "CR LF inside": token[:20] + "\r\n" + token[22:],
		"space": " " + token[1:], "NUL": token[:50] + "\x00", "doubled": token + token,
		"other alphabet +": token[:10] + "+" + token[11:], "other alphabet /": token[:10] + "/" + token[11:],
		"not ASCII": token[:9] + "é" + token[11:], "zeros": strings.Repeat("A", len(token)),
		"a megabyte": strings.Repeat(token, 20_000), "another ring's": newCSRF(t, other, session),
		"another session's": newCSRF(t, r, another),
	}
	for n := range token {
		bad["truncated to "+token[:n]] = token[:n]
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(token) { // all neighbours, stray bits of the last one included
		for _, ch := range []byte(alphabet) {
			if ch != token[i] {
				bad["changed "+token[:i]+string(ch)] = token[:i] + string(ch) + token[i+1:]
			}
		}
	}
	for name, token := range bad {
		if r.CheckCSRF(session, token) {
			t.Errorf("%s is accepted", name)
		}
	}
	if !r.CheckCSRF(session, token) || r.CheckCSRF(another, token) || other.CheckCSRF(session, token) {
		t.Error("a token is good for its own session and ring, and no other")
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || bytes.Contains(raw, session[:]) {
		t.Error("the token shows the session")
	}
}

func TestAllocations(t *testing.T) {
	r := newRing(t)
	token := newCSRF(t, r, session)
	blob := seal(t, r, "text")
	for name, f := range map[string]func(){
		"CheckCSRF": func() { r.CheckCSRF(session, token) },
		"KeySet":    func() { r.KeySet() },
		"Stale":     func() { r.Stale(blob) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 && !raceEnabled {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var sum [32]byte

func BenchmarkCSRF(b *testing.B) {
	r := newRing(b)
	token := newCSRF(b, r, session)
	key := mac.New(make([]byte, 32))
	nonce := make([]byte, 16)
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sum = key.Sum2(session[:], nonce)
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !r.CheckCSRF(session, token) {
				b.Fatal("refused")
			}
		}
	})
}

// The key of a session is HKDF-Expand of the root: a blob from one spelling of
// that opens under the other.
func TestSealKeyIsHKDF(t *testing.T) {
	t.Parallel()
	prk, info := make([]byte, 32), "0123456789abcdef"
	want, err := hkdf.Expand(sha256.New, prk, info, 32)
	if err != nil {
		t.Fatal(err)
	}
	if got := mac.New(prk).Sum2([]byte(info), []byte{1}); !bytes.Equal(got[:], want) {
		t.Errorf("%x, want %x", got, want)
	}
}
