package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remuda-go/remuda/store"
)

// ErrConflict says that the source has another version than the caller's. Nothing
// was changed.
var ErrConflict = errors.New("keyring: the source has changed meanwhile")

// Source is where a ring is kept. It is safe for concurrent use, also by several
// processes.
type Source interface {
	// Load returns the text that was saved last, and its version. Where there is
	// none the error wraps [fs.ErrNotExist]. It never returns what is older than
	// the last Save acknowledged to anyone.
	Load(ctx context.Context) (text []byte, version string, err error)

	// Save puts the text in the place of the one that has the version was, whole or
	// not at all, and durably, and returns its version; an empty was says that there
	// is none yet. It returns [ErrConflict], and changes nothing, if the version is
	// another one. After any other error the text may have been saved.
	Save(ctx context.Context, text []byte, was string) (version string, err error)
}

// Copy puts the ring of one source into another: one that is empty, or the same
// place under another master key or none. It returns [ErrConflict] if the other
// holds anything else. Nodes that run follow the source that they were opened with.
func Copy(ctx context.Context, from, to Source) error {
	text, version, err := from.Load(ctx)
	if err != nil {
		return err
	}
	_, err = to.Save(ctx, text, "")
	if errors.Is(err, ErrConflict) {
		// A version is never that of something else.
		_, err = to.Save(ctx, text, version)
	}
	return err
}

// place keeps a text as it is.
type place interface {
	Source
	// name says where it is, for errors.
	name() string
}

// sealed is a place whose texts are sealed under a master key; with the zero one
// they are not, and none that is gets read.
type sealed struct {
	place
	master Master
}

// Load implements [Source].
func (s sealed) Load(ctx context.Context) ([]byte, string, error) {
	text, version, err := s.place.Load(ctx)
	if err != nil {
		return nil, "", err
	}
	if s.master.IsZero() {
		return text, version, nil // parse refuses a sealed one
	}
	if text, err = s.master.open(text); err != nil {
		return nil, "", fmt.Errorf("%w (in %s)", err, s.name())
	}
	return text, version, nil
}

// Save implements [Source].
func (s sealed) Save(ctx context.Context, text []byte, was string) (string, error) {
	if !s.master.IsZero() {
		var err error
		if text, err = s.master.seal(text); err != nil {
			return "", err
		}
	}
	return s.place.Save(ctx, text, was)
}

// storePlace is an item of a session store.
type storePlace struct {
	items store.Items
	now   func() time.Time
}

// Where a store keeps a ring.
const (
	itemKind = "keyring"
	itemKey  = "ring"
)

// StoreSource keeps a ring in the session store itself, so that all nodes of a
// cluster have it. It is sealed under the master key, which is required: otherwise
// whoever reads the store could make tokens. Nil for now means time.Now.
func StoreSource(items store.Items, master Master, now func() time.Time) (Source, error) {
	if master.IsZero() {
		return nil, errors.New("keyring: a ring in a store needs a master key")
	}
	if now == nil {
		now = time.Now
	}
	return sealed{storePlace{items, now}, master}, nil
}

func (storePlace) name() string { return "the store" }

// Load implements [Source].
func (p storePlace) Load(ctx context.Context) ([]byte, string, error) {
	it, err := p.items.GetItem(ctx, itemKind, itemKey, p.now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", fmt.Errorf("keyring: there is no ring in the store: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, "", fmt.Errorf("keyring: %w", err)
	}
	return it.Value, versionText(it.Version), nil
}

// Save implements [Source].
func (p storePlace) Save(ctx context.Context, text []byte, was string) (string, error) {
	it := store.Item{Value: text}
	if _, err := rand.Read(it.Version[:]); err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	var err error
	if was == "" {
		err = p.items.CreateItem(ctx, itemKind, itemKey, it, p.now())
	} else {
		var version store.Version
		if !decodeExact(version[:], was) {
			return "", ErrConflict // no version of ours
		}
		err = p.items.SwapItem(ctx, itemKind, itemKey, it, version, p.now())
	}
	switch {
	case err == nil:
		return versionText(it.Version), nil
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		return "", ErrConflict
	}
	return "", fmt.Errorf("keyring: %w", err)
}

func versionText(v store.Version) string { return base64.RawURLEncoding.EncodeToString(v[:]) }
