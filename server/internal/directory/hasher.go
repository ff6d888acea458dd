package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// params is what an Argon2id hash costs (RFC 9106).
type params struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

const (
	saltBytes = 16
	tagBytes  = 32
)

// current is what OWASP's Password Storage Cheat Sheet recommends: 19 MiB, two
// passes, one lane.
var current = params{memory: 19456, passes: 2, threads: 1}

// hasher computes Argon2id, at most slots at once: each run takes params.memory
// and one processor, so more at once would only take more memory. It is safe
// for concurrent use.
type hasher struct {
	cost  params
	slots chan struct{}
	runs  atomic.Int64 // how many so far, for tests
}

func newHasher(cost params) *hasher {
	return &hasher{cost: cost, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// hash makes a new hash of a password.
func (h *hasher) hash(ctx context.Context, password string) (phc, error) {
	p := phc{params: h.cost, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(p.salt) // never fails
	tag, err := h.run(ctx, p, tagBytes, password)
	p.tag = tag
	return p, err
}

// verify reports whether the password is the one that was hashed.
func (h *hasher) verify(ctx context.Context, p phc, password string) (bool, error) {
	tag, err := h.run(ctx, p, len(p.tag), password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(tag, p.tag) == 1, nil
}

// run waits for a slot and computes one tag. Once it has begun it finishes,
// whatever ctx says: the verdict is known then, and may be counted.
func (h *hasher) run(ctx context.Context, p phc, size int, password string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("waiting to hash: %w", err)
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to hash: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	h.runs.Add(1)
	// Keyboards differ in how they compose an é (RFC 8265 section 4.2).
	password = norm.NFC.String(password)
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(size)), nil //nolint:gosec // at most maxTagBytes
}

// newDecoy returns a hash that nobody knows a password for.
func newDecoy(cost params) phc {
	p := phc{params: cost, salt: make([]byte, saltBytes), tag: make([]byte, tagBytes)}
	_, _ = rand.Read(p.salt)
	_, _ = rand.Read(p.tag)
	return p
}
