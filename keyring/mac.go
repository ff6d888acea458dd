package keyring

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
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
	var raw [csrfSize]byte
	copy(raw[:], r.active[:])
	if _, err := rand.Read(raw[keyIDSize : keyIDSize+csrfNonce]); err != nil {
		return "", err
	}
	sum := r.roots[r.active].csrf.Sum2(session[:], raw[keyIDSize:keyIDSize+csrfNonce])
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
	root := r.roots[keyID(raw[:keyIDSize])]
	if root == nil {
		return false
	}
	sum := root.csrf.Sum2(session[:], raw[keyIDSize:keyIDSize+csrfNonce])
	return subtle.ConstantTimeCompare(sum[:csrfMAC], raw[keyIDSize+csrfNonce:]) == 1
}

// HashAddress returns a keyed hash of a client address, so that the same
// address can be recognised without being stored.
func (r *Ring) HashAddress(a netip.Addr) [16]byte {
	b := a.Unmap().As16()
	sum := r.roots[r.active].address.Sum(b[:])
	return [16]byte(sum[:16])
}
