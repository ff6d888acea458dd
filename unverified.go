package remuda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/opaque"
	"github.com/remuda-go/remuda/keyring"
)

// A codec gives one answer to everything that is not a token of ours, and no
// reason. This file looks again at a token that was refused, for operators; nothing
// that it finds has any effect.

// explained adds to an error what operators may know. wanted are the types as which
// the token was verified last, into c.
func (m *Manager) explained(err error, c *codec.Claims, token string, wanted ...codec.Type) error {
	if _, ok := errors.AsType[*RefusalError](err); !ok && c.Key == "" {
		return m.unverified(token, wanted)
	}
	return about(err, c)
}

// unverified says why a token does not verify as one of the wanted types.
func (m *Manager) unverified(token string, wanted []codec.Type) error {
	if len(token) > codec.MaxToken {
		return refuse(ErrTokenInvalid, ReasonMalformed)
	}
	var c codec.Claims
	for _, typ := range []codec.Type{codec.Access, codec.Refresh, codec.HandOff} {
		if !slices.Contains(wanted, typ) && m.codecs.byForm(token).Verify(&c, typ, token) == nil {
			return about(refuse(ErrTokenInvalid, ReasonTokenType, slog.String("token_type", typ.String()), slog.String("wanted", names(wanted))), &c)
		}
	}
	id := claimedKey(token)
	if id == "" {
		return refuse(ErrTokenInvalid, ReasonMalformed)
	}
	if slices.ContainsFunc(m.ring.KeySet().Keys, func(k codec.Key) bool { return k.ID == id }) {
		return refuse(ErrTokenInvalid, ReasonSignature, slog.String("key", id))
	}
	keys := m.ring.List()
	if i := slices.IndexFunc(keys, func(k keyring.Info) bool { return k.ID == id }); i >= 0 {
		return refuse(ErrTokenInvalid, ReasonKeyDead, slog.String("key", id), slog.String("key_state", string(keys[i].State)))
	}
	if len(id) != ringKeyID { // anything may stand there: it is not repeated
		return refuse(ErrTokenInvalid, ReasonKeyUnknown)
	}
	return refuse(ErrTokenInvalid, ReasonKeyUnknown, slog.String("key", id))
}

func names(types []codec.Type) string {
	var list []string
	for _, t := range types {
		list = append(list, t.String())
	}
	return strings.Join(list, " or ")
}

// byForm is the codec of a token by how it begins.
func (c *codecs) byForm(token string) codec.Codec {
	switch {
	case isOpaque(token):
		return c.opaque
	case strings.HasPrefix(token, "v4."):
		return c.paseto
	default:
		return c.jwt
	}
}

const (
	ringKeyID = 8   // characters in the id of a key of a ring
	maxHeader = 256 // characters of a header or a footer
)

// claimedKey is the id of the key that a token says it was made with, or "" if it
// has not the form of a token. It may be of no key, but is an id in its form.
func claimedKey(token string) string {
	parts := strings.Split(token, ".")
	var header string
	switch {
	case isOpaque(token):
		if !opaque.Form(token) {
			return ""
		}
		body := token[len("rmd_at_"):]
		raw, err := base64.RawURLEncoding.DecodeString(body[:12]) // the version, and 6 bytes of id
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(raw[1:7])
	case parts[0] == "v4" && len(parts) == 4:
		header = parts[3]
	case len(parts) == 3:
		header = parts[0]
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	var claimed struct {
		Kid string `json:"kid"`
	}
	if err != nil || len(text) > maxHeader || json.Unmarshal(text, &claimed) != nil || !keyForm(claimed.Kid) {
		return ""
	}
	return claimed.Kid
}

func keyForm(id string) bool {
	const longest = 64
	return id != "" && len(id) <= longest && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
