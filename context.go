package remuda

import "context"

type contextKey struct{}

// NewContext returns a context that carries the session of a request.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the session that NewContext put there. It reports false
// where the request was not authenticated.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(contextKey{}).(*Session)
	return s, ok
}
