package directory_test

import (
	"strings"
	"testing"

	"github.com/remuda-go/remuda/server/internal/directory"
)

const (
	salt = "AAECAwQFBgcICQoLDA0ODw"
	tag  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	good = "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + tag
)

// malformed are spellings that a lax reader takes, and bounds.
var malformed = map[string]string{
	"empty":            "",
	"argon2i":          strings.Replace(good, "argon2id", "argon2i", 1),
	"upper case":       strings.Replace(good, "argon2id", "Argon2id", 1),
	"no version":       strings.Replace(good, "$v=19", "", 1),
	"old version":      strings.Replace(good, "v=19", "v=16", 1),
	"something before": "x" + good,
	"something after":  good + "$",
	"line feed after":  good + "\n",
	"line feed within": strings.Replace(good, salt, salt[:4]+"\n"+salt[4:], 1),
	"padding":          good + "=",
	"unused bits":      strings.Replace(good, salt, salt[:21]+"x", 1),
	"url alphabet":     strings.Replace(good, salt, "-_ECAwQFBgcICQoLDA0ODw", 1),
	"other order":      strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1),
	"extra parameter":  strings.Replace(good, "p=1", "p=1,keyid=AA", 1),
	"missing":          strings.Replace(good, ",p=1", "", 1),
	"leading zero":     strings.Replace(good, "t=2", "t=02", 1),
	"plus":             strings.Replace(good, "t=2", "t=+2", 1),
	"negative":         strings.Replace(good, "t=2", "t=-2", 1),
	"underscore":       strings.Replace(good, "m=19456", "m=19_456", 1),
	"no passes":        strings.Replace(good, "t=2", "t=0", 1),
	"no threads":       strings.Replace(good, "p=1", "p=0", 1),
	"257 threads":      strings.Replace(good, "p=1", "p=257", 1),
	"9 threads":        strings.Replace(good, "p=1", "p=9", 1),
	"too many passes":  strings.Replace(good, "t=2", "t=17", 1),
	"too much memory":  strings.Replace(good, "m=19456,t=2", "m=262145,t=1", 1),
	"too much work":    strings.Replace(good, "m=19456,t=2", "m=262144,t=5", 1),
	"overflow":         strings.Replace(good, "m=19456", "m=4294986752", 1),
	"too little":       strings.Replace(good, "m=19456", "m=7", 1),
	"little per lane":  strings.Replace(good, "m=19456,t=2,p=1", "m=31,t=2,p=4", 1),
	"short salt":       strings.Replace(good, salt, "AAECAwQFBg", 1),
	"no salt":          strings.Replace(good, salt, "", 1),
	"long salt":        strings.Replace(good, salt, strings.Repeat("A", 88), 1),
	"short tag":        strings.Replace(good, tag, "AAECAwQFBgcICQoLDA0O", 1),
	"no tag":           strings.Replace(good, tag, "", 1),
	"long tag":         strings.Replace(good, tag, strings.Repeat("A", 88), 1),
}

func TestParsePHC(t *testing.T) {
	t.Parallel()
	for _, s := range []string{good, "$argon2id$v=19$m=262144,t=4,p=8$" + salt + "$" + tag} {
		if again, err := directory.ParsePHC(s); err != nil || again != s {
			t.Errorf("ParsePHC(%q) = %q, %v", s, again, err)
		}
	}
	for name, s := range malformed {
		if s == good {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := directory.ParsePHC(s); err == nil {
			t.Errorf("%s: accepted %q", name, s)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error shows the hash", name)
		}
	}
}

// FuzzParsePHC: what is accepted has one spelling.
func FuzzParsePHC(f *testing.F) {
	f.Add(good)
	for _, s := range malformed {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if again, err := directory.ParsePHC(s); err == nil && again != s {
			t.Errorf("%q is read as %q", s, again)
		}
	})
}

// TestVector is one computed by the reference implementation (argon2 -id, in
// phc-winner-argon2's test.c): password "password", salt "somesalt".
func TestVector(t *testing.T) {
	t.Parallel()
	d := open(t, newPath(t))
	if err := d.Add(t.Context(), "alice", "something else"); err != nil {
		t.Fatal(err)
	}
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if err := d.Exec(t.Context(), "UPDATE users SET hash = ?", hash); err != nil {
		t.Fatal(err)
	}
	if err := login(t, d, "alice", "password"); err != nil {
		t.Error(err)
	}
	if err := login(t, d, "alice", "Password"); err == nil {
		t.Error("another password was accepted")
	}
}
