package remuda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	strictjson "github.com/go-json-experiment/json"

	"github.com/remuda-go/remuda/codec"
)

// Claims decodes the application's claims of a session into a struct of its own.
// It is strict: a member that T does not have is an error, as is one whose case
// differs, and one of another type. A session without claims gives the zero T.
// Nothing but these claims is decoded; the others are fields of [Session].
func Claims[T any](s *Session) (T, error) {
	var v T
	if s.Claims == "" {
		return v, nil
	}
	if err := strictjson.Unmarshal([]byte(s.Claims), &v, strictjson.RejectUnknownMembers(true)); err != nil {
		return v, fmt.Errorf("remuda: the claims are not those of %T: %w", v, err)
	}
	return v, nil
}

var errNoObject = errors.New("they are not a JSON object")

// encodeClaims writes an application's claims as a JSON object, or "" for none.
func encodeClaims(claims any) (string, error) {
	if claims == nil {
		return "", nil
	}
	text, err := json.Marshal(claims)
	if err == nil && string(text) != "null" {
		err = checkClaims(text)
	}
	if err != nil {
		return "", fmt.Errorf("%w: the claims: %w", ErrRequest, err)
	}
	if s := string(text); s != "null" && s != "{}" {
		return s, nil
	}
	return "", nil
}

// checkClaims looks at the names of an object.
func checkClaims(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errNoObject
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if !codec.AppName([]byte(name)) {
			return fmt.Errorf("the name %q is reserved or not 1 to 64 plain ASCII characters", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}
