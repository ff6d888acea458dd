package codectest

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"testing"
)

// vectors are described in testdata/wycheproof/README.md.
//
//go:embed testdata/wycheproof/*.json
var vectors embed.FS

// JOSECase is a case of Wycheproof about JSON Web Signature, Encryption or Key.
type JOSECase struct {
	ID      int
	Comment string
	Text    string          // compact, or JSON
	Key     json.RawMessage // a JWK, or a JWK set; the public half where there is one
	Private json.RawMessage
	Valid   bool   // as marked
	Use     string // from overrides.json: "skip", "expect_reject", "key_import_only"; or ""
}

// Files of JOSE cases.
const (
	JSONWebSignature  = "json_web_signature_test.json"
	JSONWebEncryption = "json_web_encryption_test.json"
	JSONWebCrypto     = "json_web_crypto_test.json"
	JSONWebKey        = "json_web_key_test.json"
)

// JOSE returns the cases of one of those files.
func JOSE(t testing.TB, file string) []JOSECase {
	t.Helper()
	var v struct {
		TestGroups []struct {
			Private, Public json.RawMessage
			Tests           []struct {
				ID       int `json:"tcId"`
				Comment  string
				JWS, JWE json.RawMessage
				Result   string
			}
		}
	}
	read(t, file, &v)
	uses := overrides(t, file)
	var list []JOSECase
	for _, g := range v.TestGroups {
		key := g.Public
		if key == nil {
			key = g.Private
		}
		for _, c := range g.Tests {
			raw := c.JWS
			if raw == nil {
				raw = c.JWE
			}
			text := string(raw)
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw) // the JSON serialisation
			}
			list = append(list, JOSECase{c.ID, c.Comment, text, key, g.Private, c.Result == "valid", uses[c.ID]})
		}
	}
	return list
}

// overrides returns how to read the contradictory cases of a file.
func overrides(t testing.TB, file string) map[int]string {
	t.Helper()
	var v struct {
		Overrides map[string][]struct {
			IDs []int `json:"tcId"`
			Use string
		}
	}
	read(t, "overrides.json", &v)
	uses := map[int]string{}
	for _, o := range v.Overrides[file] {
		for _, id := range o.IDs {
			uses[id] = o.Use
		}
	}
	return uses
}

// PrimitiveCase is a case of Wycheproof about a signature or a MAC.
type PrimitiveCase struct {
	ID           int
	Comment      string
	Key          []byte // the secret, the point uncompressed, or the raw Ed25519 key
	Message, Tag []byte // Tag is the MAC or the signature
	TagBits      int    // of MACs: how much of one is kept
	Valid        bool
}

// HMACSHA256 returns the cases of HMAC with SHA-256.
func HMACSHA256(t testing.TB) []PrimitiveCase {
	t.Helper()
	return primitives(t, "hmac_sha256_test.json")
}

// P256SHA256 returns the cases of ECDSA with P-256 and SHA-256 in the form r ‖ s
// (IEEE P1363), which is JOSE's.
func P256SHA256(t testing.TB) []PrimitiveCase {
	t.Helper()
	return primitives(t, "ecdsa_secp256r1_sha256_p1363_test.json")
}

// Ed25519 returns the cases of Ed25519.
func Ed25519(t testing.TB) []PrimitiveCase { t.Helper(); return primitives(t, "ed25519_test.json") }

func primitives(t testing.TB, file string) []PrimitiveCase {
	t.Helper()
	var v struct {
		TestGroups []struct {
			TagSize   int
			PublicKey struct{ Uncompressed, PK string }
			Tests     []struct {
				ID                                  int `json:"tcId"`
				Comment, Key, Msg, Tag, Sig, Result string
			}
		}
	}
	read(t, file, &v)
	var list []PrimitiveCase
	for _, g := range v.TestGroups {
		for _, c := range g.Tests {
			list = append(list, PrimitiveCase{
				ID: c.ID, Comment: c.Comment, Key: unhex(t, g.PublicKey.Uncompressed+g.PublicKey.PK+c.Key),
				Message: unhex(t, c.Msg), Tag: unhex(t, c.Tag+c.Sig), TagBits: g.TagSize, Valid: c.Result == "valid",
			})
		}
	}
	return list
}

func read(t testing.TB, file string, v any) {
	t.Helper()
	text, err := vectors.ReadFile("testdata/wycheproof/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
