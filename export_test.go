package remuda

import "context"

// MoveData lets tests of a login over an anonymous session do what it does.
func (m *Manager) MoveData(ctx context.Context, from, to SessionID) error {
	return m.moveData(ctx, from, to)
}
