package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrMaster says that a sealed ring does not open: the master key is another one
// or is missing, or the text was changed.
var ErrMaster = errors.New("keyring: the sealed ring does not open with this master key")

const redacted = "[redacted]"

// Master is the key under which a ring is sealed where it is kept. It stands in the
// environment or in a file of its own, apart from the store.
//
// It is a secret: it cannot be compared with ==, and prints, logs and marshals as
// "[redacted]". The zero value is no key.
type Master struct {
	_   [0]func()
	key *string // 32 bytes; a pointer to a string, so that fmt shows an address where it calls no method
}

// NewMaster makes a random master key.
func NewMaster() (Master, error) {
	var key [secretSize]byte
	if _, err := rand.Read(key[:]); err != nil {
		return Master{}, fmt.Errorf("keyring: %w", err)
	}
	return newMaster(key), nil
}

// ParseMaster reads what Reveal wrote: 32 bytes as 43 characters of unpadded
// base64url. White space around it is ignored. Errors do not show it.
func ParseMaster(text string) (Master, error) {
	var key [secretSize]byte
	if !decodeExact(key[:], strings.TrimSpace(text)) {
		return Master{}, errors.New("keyring: a master key is 32 bytes in base64url: 43 characters without padding")
	}
	if key == [secretSize]byte{} {
		return Master{}, errors.New("keyring: a master key of zeros is none")
	}
	return newMaster(key), nil
}

func newMaster(key [secretSize]byte) Master {
	text := string(key[:])
	return Master{key: &text}
}

// Reveal returns the key as text.
func (m Master) Reveal() string {
	if m.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(*m.key))
}

// IsZero reports whether there is no key.
func (m Master) IsZero() bool { return m.key == nil }

// String hides the key.
func (Master) String() string { return redacted }

// GoString hides the key.
func (Master) GoString() string { return redacted }

// Format hides the key, whatever the verb.
func (Master) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the key.
func (Master) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key.
func (Master) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A sealed ring is a header line and a line of base64url: nonce and AES-256-GCM
// (NIST SP 800-38D) over the text of the ring, with the header as associated data.
const (
	sealedPrefix = "remuda-keyring-sealed/1 "
	sealedHeader = len(sealedPrefix) + 22 + 1 // the id of the ring and a line feed
)

// isSealed reports whether a text is a sealed ring.
func isSealed(text []byte) bool { return bytes.HasPrefix(text, []byte(sealedPrefix)) }

// seal seals the text of a ring.
func (m Master) seal(text []byte) ([]byte, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	header := []byte(sealedPrefix + doc.id + "\n")
	aead, err := m.cipher(doc.id)
	if err != nil {
		return nil, err
	}
	var nonce [nonceSize]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	sealed := aead.Seal(nonce[:], nonce[:], text, header)
	return append(base64.RawURLEncoding.AppendEncode(header, sealed), '\n'), nil
}

// open opens what seal made, or returns [ErrMaster].
func (m Master) open(sealed []byte) ([]byte, error) {
	if !isSealed(sealed) || len(sealed) < sealedHeader {
		return nil, fmt.Errorf("%w: it is not sealed", ErrMaster)
	}
	header, line := sealed[:sealedHeader], sealed[sealedHeader:]
	body, ended := bytes.CutSuffix(line, []byte("\n"))
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(body))
	if err != nil || !ended || len(raw) < nonceSize || base64.RawURLEncoding.EncodeToString(raw) != string(body) {
		return nil, ErrMaster
	}
	aead, err := m.cipher(string(header[len(sealedPrefix) : sealedHeader-1]))
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, raw[:nonceSize], raw[nonceSize:], header)
	if err != nil {
		return nil, ErrMaster
	}
	return text, nil
}

// cipher returns the cipher for one ring.
func (m Master) cipher(ring string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(derive([]byte(*m.key), "keyring/"+ring))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return cipher.NewGCM(block)
}
