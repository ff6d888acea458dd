package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remuda-go/remuda/codec"
)

// document is a ring as its source has it. It is not changed once a snapshot
// holds it.
type document struct {
	id string
	// revision grows with every change, so that a source which has lost some is
	// noticed.
	revision uint64
	keys     []key
}

// newDocument makes a ring with active keys and reserves.
func newDocument(now time.Time, algs ...codec.Algorithm) (*document, error) {
	var id [ringIDSize]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	d := &document{id: base64.RawURLEncoding.EncodeToString(id[:]), revision: 1}
	if err := d.ensure(append([]codec.Algorithm{Root}, algs...), now); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *document) clone() *document {
	return &document{id: d.id, revision: d.revision, keys: slices.Clone(d.keys)}
}

// equal reports whether the keys are the same.
func (d *document) equal(o *document) bool { return slices.Equal(d.keys, o.keys) }

// find returns the key of that id, or nil.
func (d *document) find(id string) *key {
	for i := range d.keys {
		if d.keys[i].id.String() == id {
			return &d.keys[i]
		}
	}
	return nil
}

// active returns the active key of an algorithm, or nil if there is none alive.
func (d *document) active(alg codec.Algorithm, now time.Time) *key {
	var best *key
	for i := range d.keys {
		k := &d.keys[i]
		if k.alg == alg && k.candidate(now) && (best == nil || k.before(best, now)) {
			best = k
		}
	}
	return best
}

// reserve returns the key that is to be active after the present one, or nil.
func (d *document) reserve(alg codec.Algorithm, now time.Time) *key {
	active := d.active(alg, now)
	var best *key
	for i := range d.keys {
		k := &d.keys[i]
		if k.alg == alg && k.state(now, active) == Pending && (best == nil || k.before(best, now)) {
			best = k
		}
	}
	return best
}

// refusing returns the document with some keys as if they were known to be
// compromised.
func (d *document) refusing(since map[string]time.Time) *document {
	out := d.clone()
	for i := range out.keys {
		k := &out.keys[i]
		if t, ok := since[k.id.String()]; ok && k.compromised.IsZero() {
			k.compromised, k.secret = t, [secretSize]byte{}
		}
	}
	return out
}

// nextChange returns the next instant at which a key changes its state; zero if
// none is known.
func (d *document) nextChange(now time.Time) time.Time {
	var next time.Time
	for i := range d.keys {
		k := &d.keys[i]
		for _, t := range []time.Time{k.activates, k.retires, k.expires} {
			if t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// The versions of the format. The first had a flag in the place of instants.
const (
	firstVersion   = 1
	presentVersion = 2
)

// ringFile is the ring as JSON. Secrets and ids are unpadded base64url.
type ringFile struct {
	Version  int       `json:"version"`
	Ring     string    `json:"ring"`
	Revision uint64    `json:"revision"`
	Keys     []keyFile `json:"keys"`
}

type keyFile struct {
	ID          string          `json:"id"`
	Algorithm   codec.Algorithm `json:"algorithm"` // or Root
	Created     time.Time       `json:"created"`
	Activates   time.Time       `json:"activates,omitzero"`
	Retires     time.Time       `json:"retires,omitzero"`
	Expires     time.Time       `json:"expires,omitzero"`
	Compromised time.Time       `json:"compromised,omitzero"`
	Secret      string          `json:"secret,omitempty"` // absent: erased
}

// firstRingFile is the ring in the first version of the format.
type firstRingFile struct {
	Version int            `json:"version"`
	Ring    string         `json:"ring"`
	Keys    []firstKeyFile `json:"keys"`
}

type firstKeyFile struct {
	ID        string          `json:"id"`
	Use       string          `json:"use"` // token or derive
	Algorithm codec.Algorithm `json:"algorithm,omitempty"`
	Active    bool            `json:"active"`
	Created   time.Time       `json:"created"`
	Secret    string          `json:"secret"`
}

var ringIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// Parse reads a ring from the text that Marshal wrote, in any version of the
// format. The ring is fixed: its keys stay what they are now, by time.Now. Errors
// name the key and never show a secret.
func Parse(text []byte) (*Ring, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	return fixedRing(doc, time.Now), nil
}

// parse reads a document.
func parse(text []byte) (*document, error) {
	if isSealed(text) {
		return nil, fmt.Errorf("%w: none was given", ErrMaster)
	}
	var head struct {
		Version int            `json:"version"`
		Rest    jsontext.Value `json:",unknown"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, errors.New("keyring: not a key ring: " + position(text, err))
	}
	var f ringFile
	switch head.Version {
	case firstVersion:
		var first firstRingFile
		if err := json.Unmarshal(text, &first, json.RejectUnknownMembers(true)); err != nil {
			return nil, errors.New("keyring: not a key ring: " + position(text, err))
		}
		var err error
		if f, err = first.migrate(); err != nil {
			return nil, err
		}
	case presentVersion:
		if err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); err != nil {
			return nil, errors.New("keyring: not a key ring: " + position(text, err))
		}
	default:
		return nil, fmt.Errorf("keyring: version %d of the format is not known", head.Version)
	}
	return f.document()
}

// position says where the JSON is wrong. The error itself and its pointer may quote
// what stands there, which may be a secret.
func position(text []byte, err error) string {
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

// migrate brings a ring of the first version into the present form: an active
// key has been so since it was made, another one only verifies.
func (f *firstRingFile) migrate() (ringFile, error) {
	out := ringFile{Version: presentVersion, Ring: f.Ring, Revision: 1}
	active := map[codec.Algorithm]int{}
	for i, k := range f.Keys {
		to := keyFile{ID: k.ID, Algorithm: k.Algorithm, Created: k.Created, Activates: k.Created, Secret: k.Secret}
		switch {
		case k.Use == "token" && k.Algorithm != codec.HS256:
			return ringFile{}, fmt.Errorf("keyring: key %d: the algorithm is not known", i+1)
		case k.Use == "derive" && k.Algorithm != "":
			return ringFile{}, fmt.Errorf("keyring: key %d: a key for derivation has no algorithm", i+1)
		case k.Use == "derive":
			to.Algorithm = Root
		case k.Use != "token":
			return ringFile{}, fmt.Errorf("keyring: key %d has an unknown use", i+1)
		}
		if k.Active {
			active[to.Algorithm]++
		} else {
			to.Retires = k.Created
		}
		out.Keys = append(out.Keys, to)
	}
	if active[codec.HS256] != 1 || active[Root] != 1 {
		return ringFile{}, errors.New("keyring: a ring has exactly one active key for each use")
	}
	return out, nil
}

// document checks what was read.
func (f *ringFile) document() (*document, error) {
	if !ringIDForm.MatchString(f.Ring) {
		return nil, errors.New("keyring: the ring has no proper id")
	}
	if f.Revision == 0 {
		return nil, errors.New("keyring: the ring has no revision")
	}
	d := &document{id: f.Ring, revision: f.Revision}
	seen := map[keyID]bool{}
	rooted := false
	for i := range f.Keys {
		k, err := f.Keys[i].key()
		if err != nil {
			return nil, fmt.Errorf("keyring: key %d: %w", i+1, err)
		}
		if seen[k.id] {
			return nil, fmt.Errorf("keyring: key %v is there twice", k.id)
		}
		seen[k.id] = true
		rooted = rooted || k.alg == Root && k.candidate(k.created)
		d.keys = append(d.keys, k)
	}
	if !rooted {
		return nil, errors.New("keyring: the ring has no root")
	}
	return d, nil
}

func (f *keyFile) key() (key, error) {
	k := key{alg: f.Algorithm}
	for _, t := range []struct {
		to   *time.Time
		from time.Time
	}{
		{&k.created, f.Created},
		{&k.activates, f.Activates},
		{&k.retires, f.Retires},
		{&k.expires, f.Expires},
		{&k.compromised, f.Compromised},
	} {
		*t.to = t.from.UTC()
	}
	switch {
	case !decodeExact(k.id[:], f.ID):
		return key{}, errors.New("the id is not 8 characters of base64url")
	case !generated[f.Algorithm]:
		return key{}, errors.New("the algorithm is not known")
	case f.Secret == "" && f.Expires.IsZero() && f.Compromised.IsZero():
		return key{}, errors.New("the secret is missing")
	case f.Secret == "":
		return k, nil
	case !decodeExact(k.secret[:], f.Secret) || k.erased():
		return key{}, errors.New("the secret is not 32 bytes in base64url")
	}
	if k.alg == codec.ES256 {
		if _, err := parseP256(k.secret); err != nil {
			return key{}, errors.New("the secret is no private key of P-256")
		}
	}
	if !k.compromised.IsZero() {
		k.secret = [secretSize]byte{}
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

// Marshal returns the ring as text, secrets included, except those of keys that
// are retired or compromised.
func (r *Ring) Marshal() ([]byte, error) {
	d := r.live.now.Load().doc.clone()
	d.erase(r.live.clock.Now())
	return d.marshal()
}

func (d *document) marshal() ([]byte, error) {
	f := ringFile{Version: presentVersion, Ring: d.id, Revision: d.revision}
	for i := range d.keys {
		k := &d.keys[i]
		out := keyFile{
			ID: k.id.String(), Algorithm: k.alg, Created: k.created,
			Activates: k.activates, Retires: k.retires, Expires: k.expires, Compromised: k.compromised,
		}
		if !k.erased() {
			out.Secret = base64.RawURLEncoding.EncodeToString(k.secret[:])
		}
		f.Keys = append(f.Keys, out)
	}
	text, err := json.Marshal(f, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return append(text, '\n'), nil
}
