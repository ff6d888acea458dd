package keyring

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"slices"
)

const (
	csrfNonce = 16
	csrfMAC   = 16
	csrfSize  = keyIDSize + csrfNonce + csrfMAC
)

// CSRFTokenLen is the length of a CSRF token in characters.
const CSRFTokenLen = (csrfSize*8 + 5) / 6

// NewCSRF returns a CSRF token for a session: key id, nonce and a MAC over
// session and nonce, in base64url. Each call gives another one; all are good as
// long as the session and the key are, so that a refresh breaks no other tab.
// The fresh nonce keeps compression of the answer from giving it away (BREACH).
func (r *Ring) NewCSRF(session [16]byte) (string, error) {
	root := r.live.now.Load().root
	if root == nil {
		return "", ErrNoKey
	}
	var raw [csrfSize]byte
	copy(raw[:], root.id[:])
	if _, err := rand.Read(raw[keyIDSize : keyIDSize+csrfNonce]); err != nil {
		return "", err
	}
	sum := root.csrf.Sum2(session[:], raw[keyIDSize:keyIDSize+csrfNonce])
	copy(raw[keyIDSize+csrfNonce:], sum[:csrfMAC])
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// CheckCSRF reports whether token was made by NewCSRF for this session. It
// allocates nothing.
func (r *Ring) CheckCSRF(session [16]byte, token string) bool {
	if len(token) != CSRFTokenLen {
		return false
	}
	var text [CSRFTokenLen]byte
	copy(text[:], token)
	var raw [csrfSize]byte
	if n, err := base64.RawURLEncoding.Strict().Decode(raw[:], text[:]); err != nil || n != csrfSize {
		return false
	}
	root := r.live.now.Load().roots[keyID(raw[:keyIDSize])]
	if root == nil {
		return false
	}
	sum := root.csrf.Sum2(session[:], raw[keyIDSize:keyIDSize+csrfNonce])
	return subtle.ConstantTimeCompare(sum[:csrfMAC], raw[keyIDSize+csrfNonce:]) == 1
}

// HashAddress returns a keyed hash of a client address, so that the same
// address can be recognised without being stored. It is another one after the
// root has been rotated; with no live root it is zero.
func (r *Ring) HashAddress(a netip.Addr) [16]byte {
	root := r.live.now.Load().root
	if root == nil {
		return [16]byte{}
	}
	b := a.Unmap().As16()
	sum := root.address.Sum(b[:])
	return [16]byte(sum[:16])
}

// HashLog returns a short keyed hash, in base64url, by which log lines about one
// thing can be told to belong together without showing it. It is another one after
// the root has been rotated; with no live root it is empty.
func (r *Ring) HashLog(text string) string {
	root := r.live.now.Load().root
	if root == nil {
		return ""
	}
	sum := root.log.SumString(text)
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

const cursorMAC = 16

// SignCursor returns something small that a client is to bring back, such as its
// place in a listing: key id, the cursor, which can be read, and a MAC over purpose
// and cursor, in base64url. The purpose says what it is for; no other one accepts
// the text.
func (r *Ring) SignCursor(purpose string, cursor []byte) (string, error) {
	root := r.live.now.Load().root
	if root == nil {
		return "", ErrNoKey
	}
	raw := slices.Concat(root.id[:], cursor)
	sum := root.cursor.Sum2(cursorContext(purpose), cursor)
	return base64.RawURLEncoding.EncodeToString(append(raw, sum[:cursorMAC]...)), nil
}

// OpenCursor returns the cursor of a text that SignCursor made for this purpose,
// and whether it is one.
func (r *Ring) OpenCursor(purpose, text string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < keyIDSize+cursorMAC || base64.RawURLEncoding.EncodeToString(raw) != text {
		return nil, false
	}
	root := r.live.now.Load().roots[keyID(raw[:keyIDSize])]
	if root == nil {
		return nil, false
	}
	cursor, mac := raw[keyIDSize:len(raw)-cursorMAC], raw[len(raw)-cursorMAC:]
	sum := root.cursor.Sum2(cursorContext(purpose), cursor)
	if subtle.ConstantTimeCompare(sum[:cursorMAC], mac) != 1 {
		return nil, false
	}
	return cursor, true
}

// cursorContext ends the purpose, so that no two pairs give the same bytes.
func cursorContext(purpose string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(purpose))), purpose...) //nolint:gosec // no text has 4 GiB
}
