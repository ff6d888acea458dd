package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"
)

// user is a token client: it keeps the newest refresh token that it has
// received, and sends a refresh that got no answer again.
type user struct {
	name, password string
	http           *http.Client
	base           func(ctx context.Context) (string, error) // of the server that runs now
	refresh        string
	access         string
	session        string
	gen            int
}

// tokens is the part of an answer that a client keeps.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Session struct {
		ID string `json:"id"`
	} `json:"session"`
	Code string `json:"code"`
}

// refusedError is an answer that a client does not expect.
type refusedError struct {
	status int
	body   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("%d %s", e.status, e.body) }

func (u *user) login(ctx context.Context) error {
	return u.call(ctx, "/auth/token/login", map[string]any{"username": u.name, "password": u.password}, nil)
}

// renew sends one refresh, with an idempotency key if there is one.
func (u *user) renew(ctx context.Context, key string) error {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return u.call(ctx, "/auth/token/refresh", map[string]any{"refresh_token": u.refresh}, header)
}

// use shows the access token.
func (u *user) use(ctx context.Context) error {
	return u.send(ctx, http.MethodGet, "/auth/session", nil, http.Header{"Authorization": {"Bearer " + u.access}}, nil)
}

func (u *user) call(ctx context.Context, path string, body any, header http.Header) error {
	var got tokens
	if err := u.send(ctx, http.MethodPost, path, body, header, &got); err != nil {
		return err
	}
	u.access, u.session = got.Access, got.Session.ID
	if got.Refresh != "" {
		u.refresh = got.Refresh
		u.gen++
	}
	return nil
}

// send returns a [*refusedError] for an answer that is no success, and another
// error if there is no whole answer.
func (u *user) send(ctx context.Context, method, path string, body any, header http.Header, into any) error {
	base, err := u.base(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, payload)
	if err != nil {
		return err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &refusedError{status: resp.StatusCode, body: string(text)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
