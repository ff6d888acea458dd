package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/spf13/cobra"
)

func newSessions() *cobra.Command {
	return group("sessions", "List sessions, or end them, while servers run or not", newSessionsList(), newSessionsEnd())
}

// sessionJSON is one session in a list.
type sessionJSON struct {
	ID            string `json:"id"`
	Subject       string `json:"subject"`
	Profile       string `json:"profile"`
	StartedAt     string `json:"started_at"`
	LastSeenAt    string `json:"last_seen_at"`
	IdleExpiresAt string `json:"idle_expires_at"`
	ExpiresAt     string `json:"expires_at"`
	Device        string `json:"device"`
	Network       string `json:"network"`
	Place         string `json:"place"`
}

func newSessionJSON(s *remuda.Session) sessionJSON {
	return sessionJSON{
		ID: s.ID.String(), Subject: s.Subject, Profile: s.Profile,
		StartedAt: timestamp(s.StartedAt), LastSeenAt: timestamp(s.LastSeenAt),
		IdleExpiresAt: timestamp(s.IdleExpires), ExpiresAt: timestamp(s.Expires),
		Device: s.Device, Network: s.Network, Place: s.Place,
	}
}

func newSessionsList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the sessions that live: one user's, or all users'", Args: cobra.NoArgs}
	fileFlags(cmd)
	user := cmd.Flags().String("user", "", "only the sessions of this `user`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		return withSessions(cmd, &cfg, func(s *app.Sessions) error {
			subjects, err := subjectsOf(cmd.Context(), &cfg, *user)
			if err != nil {
				return err
			}
			list, err := collect(cmd.Context(), s, subjects)
			if err != nil {
				return err
			}
			return printSessions(cmd, list, *asJSON)
		})
	}
	return cmd
}

// subjectsOf returns the one user, or all of the directory.
func subjectsOf(ctx context.Context, cfg *config.Config, user string) (subjects []string, err error) {
	if user != "" {
		return []string{username(user)}, nil
	}
	err = withUsers(ctx, cfg, existing, func(d *directory.Directory) error {
		users, err := d.List(ctx)
		for _, u := range users {
			subjects = append(subjects, u.Username)
		}
		return err
	})
	return subjects, err
}

func collect(ctx context.Context, m *app.Sessions, subjects []string) ([]sessionJSON, error) {
	list := []sessionJSON{}
	for _, subject := range subjects {
		for s, err := range m.Manager.Sessions(ctx, remuda.SessionsRequest{Subject: subject}) {
			if err != nil {
				return nil, err
			}
			list = append(list, newSessionJSON(&s))
		}
	}
	return list, nil
}

func printSessions(cmd *cobra.Command, list []sessionJSON, asJSON bool) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"sessions": list})
	}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.ID, s.Subject, s.Profile, s.StartedAt, s.LastSeenAt, s.IdleExpiresAt, s.Network, s.Place, s.Device})
	}
	return printTable(cmd.OutOrStdout(), []string{"SESSION", "USER", "PROFILE", "STARTED", "LAST SEEN", "IDLE AT", "NETWORK", "PLACE", "DEVICE"}, rows)
}

// endOne ends a session that lives; of any other it says what is known.
func endOne(ctx context.Context, s *app.Sessions, id remuda.SessionID) (int, error) {
	switch _, err := s.Session(ctx, id); {
	case errors.Is(err, remuda.ErrTokenInvalid):
		return 0, fmt.Errorf("there is no session %s", id)
	case errors.Is(err, remuda.ErrSessionEnded), errors.Is(err, remuda.ErrSessionExpired):
		return 0, nil
	}
	// One that does not open can be ended too.
	return 1, s.End(ctx, remuda.EndRequest{Session: id, Reason: remuda.EndAdmin})
}

func countEnded(n int) string {
	if n == 1 {
		return "1 session ended"
	}
	return fmt.Sprintf("%d sessions ended", n)
}

// withSessions opens the database for do, beside any server that runs, and
// closes it.
func withSessions(cmd *cobra.Command, cfg *config.Config, do func(*app.Sessions) error) (err error) {
	ctx := cmd.Context()
	s, err := app.OpenSessions(ctx, cfg, newLog(cfg.Log, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
	return do(s)
}
