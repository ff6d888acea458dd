package directory

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The bounds of a stored hash: whoever can write to the file must not be able
// to make a login take all memory or a day.
const (
	maxMemory  = 256 << 10 // KiB
	maxPasses  = 16
	maxThreads = 8
	// Of the work, in KiB times passes: some 20 times today's.
	maxWork                    = 1 << 20
	minSaltBytes, maxSaltBytes = 8, 64
	minTagBytes, maxTagBytes   = 16, 64
)

// errPHC never shows the string: a hash belongs in no log.
var errPHC = errors.New("not an Argon2id PHC string within bounds")

var phcBase64 = base64.RawStdEncoding.Strict()

// phc is one stored hash.
type phc struct {
	params
	salt, tag []byte
}

// String returns the PHC string format's text (github.com/P-H-C/phc-string-format).
func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.passes, p.threads, phcBase64.EncodeToString(p.salt), phcBase64.EncodeToString(p.tag))
}

// parsePHC reads what String writes, and nothing else: no other order, no
// optional part, no leading zero, no second spelling of the base64.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return phc{}, errPHC
	}
	p, err := parseParams(parts[3])
	if err != nil {
		return phc{}, err
	}
	salt, err1 := phcBase64.DecodeString(parts[4])
	tag, err2 := phcBase64.DecodeString(parts[5])
	h := phc{params: p, salt: salt, tag: tag}
	// The comparison also refuses what the steps above let pass: the decoder
	// skips line feeds, and the first parts have not been looked at.
	if err1 != nil || err2 != nil || !h.bounded() || h.String() != s {
		return phc{}, errPHC
	}
	return h, nil
}

func parseParams(s string) (params, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return params{}, errPHC
	}
	var n [3]uint64
	for i, prefix := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], prefix)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return params{}, errPHC
		}
		n[i] = v
	}
	if n[2] > maxThreads {
		return params{}, errPHC
	}
	return params{memory: uint32(n[0]), passes: uint32(n[1]), threads: uint8(n[2])}, nil //nolint:gosec // parsed as 32 bits and bounded
}

// bounded reports whether the hash can and may be computed. RFC 9106 section
// 3.1 asks for 8 KiB a lane.
func (p phc) bounded() bool {
	return p.threads >= 1 && p.threads <= maxThreads &&
		p.passes >= 1 && p.passes <= maxPasses &&
		p.memory >= 8*uint32(p.threads) && p.memory <= maxMemory &&
		p.memory*p.passes <= maxWork &&
		len(p.salt) >= minSaltBytes && len(p.salt) <= maxSaltBytes &&
		len(p.tag) >= minTagBytes && len(p.tag) <= maxTagBytes
}

// weakerThan reports whether the hash was made with less than a new one would
// be. Less, not otherwise: two versions at work on one file must not take turns.
func (p phc) weakerThan(cost params) bool {
	return p.memory*p.passes < cost.memory*cost.passes || len(p.salt) < saltBytes || len(p.tag) < tagBytes
}
