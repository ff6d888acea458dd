package keyring

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remuda-go/remuda/codec"
)

// fileVersion is the version of the format below.
const fileVersion = 1

// ringFile is the ring as JSON. Secrets and ids are unpadded base64url.
type ringFile struct {
	Version int       `json:"version"`
	Ring    string    `json:"ring"`
	Keys    []keyFile `json:"keys"`
}

type keyFile struct {
	ID        string          `json:"id"`
	Use       use             `json:"use"`
	Algorithm codec.Algorithm `json:"algorithm,omitempty"`
	Active    bool            `json:"active"`
	Created   time.Time       `json:"created"`
	Secret    string          `json:"secret"`
}

var ringIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// Parse reads a ring from the text that Marshal wrote. Errors name the key and
// never show a secret.
func Parse(text []byte) (*Ring, error) {
	var f ringFile
	if err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("keyring: not a key ring: " + place(text, err))
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("keyring: version %d of the format is not known", f.Version)
	}
	if !ringIDForm.MatchString(f.Ring) {
		return nil, errors.New("keyring: the ring has no proper id")
	}
	keys := make([]key, 0, len(f.Keys))
	for i, kf := range f.Keys {
		k, err := kf.key()
		if err != nil {
			return nil, fmt.Errorf("keyring: key %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return build(f.Ring, keys)
}

// place says where the JSON is wrong. The error itself and its pointer may quote
// what stands there, which may be a secret.
func place(text []byte, err error) string {
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	var offset int64
	reason := "malformed JSON"
	switch {
	case errors.As(err, &syntax):
		offset = syntax.ByteOffset
	case errors.As(err, &meaning):
		offset = meaning.ByteOffset
		reason = "a member of unknown name or wrong type"
	}
	before := text[:min(offset, int64(len(text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s at line %d, column %d", reason, line, column)
}

func (kf *keyFile) key() (key, error) {
	k := key{use: kf.Use, alg: kf.Algorithm, active: kf.Active, created: kf.Created}
	if !decodeExact(k.id[:], kf.ID) {
		return key{}, errors.New("the id is not 8 characters of base64url")
	}
	if !decodeExact(k.secret[:], kf.Secret) {
		return key{}, errors.New("the secret is not 32 bytes in base64url")
	}
	switch {
	case kf.Use == useToken && kf.Algorithm != codec.HS256:
		return key{}, fmt.Errorf("the algorithm %q is not known", kf.Algorithm)
	case kf.Use == useDerive && kf.Algorithm != "":
		return key{}, errors.New("a key for derivation has no algorithm")
	}
	return k, nil
}

// decodeExact fills dst from unpadded base64url, and reports whether the text
// is exactly that.
func decodeExact(dst []byte, text string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text || len(raw) != len(dst) {
		return false
	}
	copy(dst, raw)
	return true
}

// Marshal returns the ring as text, secrets included.
func (r *Ring) Marshal() ([]byte, error) {
	f := ringFile{Version: fileVersion, Ring: r.id}
	for _, k := range r.keys {
		f.Keys = append(f.Keys, keyFile{
			ID: k.id.String(), Use: k.use, Algorithm: k.alg, Active: k.active, Created: k.created,
			Secret: base64.RawURLEncoding.EncodeToString(k.secret[:]),
		})
	}
	text, err := json.Marshal(f, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return append(text, '\n'), nil
}

// Load reads the ring in a file. It refuses a file that others than its owner
// may read or write. A file that is not there is an error that wraps
// [fs.ErrNotExist].
func Load(path string) (*Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("keyring: %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring: %s has mode %04o: others can read or write the keys; run chmod 600", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	r, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return r, nil
}

// LoadOrCreate reads the ring in a file, or makes one (created now) and writes
// it there, mode 0600 and synced, before it returns. Of several processes that start at once
// one creates the ring and all return the same.
func LoadOrCreate(path string, now time.Time) (*Ring, error) {
	r, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := create(path, now); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return Load(path)
}

// create writes a new ring whole or not at all: a hard link from a synced
// temporary file appears at once, and fails if another process was first.
func create(path string, now time.Time) error {
	r, err := New(now)
	if err != nil {
		return err
	}
	text, err := r.Marshal()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keyring-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
