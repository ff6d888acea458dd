package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/refusals"
	"github.com/spf13/cobra"
)

func newSubjects() *cobra.Command {
	return group("subjects", "Give or remove everything that is held on somebody", newSubjectsExport(), newSubjectsErase())
}

// subjectFlag is the tenant of a subject. Users of the directory have none.
func subjectFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("tenant", "", "the `tenant` of the subject; users of the directory have none")
}

// exportJSON is everything that is held on a subject.
type exportJSON struct {
	Subject  string            `json:"subject"`
	Tenant   string            `json:"tenant"`
	User     *exportedUser     `json:"user"` // null if the directory has none
	Sessions []exportedSession `json:"sessions"`
	Endings  []exportedEnding  `json:"endings"`  // what the revocation log says by name
	Refusals []refusals.Entry  `json:"refusals"` // of this server
}

type exportedUser struct {
	userJSON

	Password string `json:"password"` // how it is kept
	// Addresses are where the user is written to, those too that were changed lately.
	Addresses []string `json:"addresses"`
	Devices   []string `json:"devices"` // signed in from, for notices
}

type exportedSession struct {
	sessionJSON

	Tenant          string          `json:"tenant"`
	AuthenticatedAt string          `json:"authenticated_at"`
	Remembered      bool            `json:"remembered"`
	Application     string          `json:"application"`
	ACR             string          `json:"acr"`
	AMR             []string        `json:"amr"`
	Actor           string          `json:"actor"`
	Claims          json.RawMessage `json:"claims"`
	Data            json.RawMessage `json:"data"`
	Address         string          `json:"address"` // how it is kept
	EndedAt         string          `json:"ended_at"`
	EndReason       string          `json:"end_reason"`
}

type exportedEnding struct {
	At     string `json:"at"`
	Until  string `json:"until"`
	Reason string `json:"reason"`
}

func newSubjectsExport() *cobra.Command {
	cmd := &cobra.Command{Use: "export SUBJECT", Short: "Print everything that is held on a subject, as JSON", Args: oneArg}
	fileFlags(cmd)
	tenant := subjectFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		all := exportJSON{Subject: subjectName(args[0], *tenant), Tenant: *tenant, Sessions: []exportedSession{}, Endings: []exportedEnding{}, Refusals: []refusals.Entry{}}
		if err := all.collect(cmd, &cfg); err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), all)
	}
	return cmd
}

// subjectName is a subject as it is kept: users of the directory in lower case.
func subjectName(name, tenant string) string {
	if tenant != "" {
		return name
	}
	return username(name)
}

func (x *exportJSON) collect(cmd *cobra.Command, cfg *config.Config) error {
	ctx := cmd.Context()
	if x.Tenant == "" {
		u, err := app.User(ctx, cfg, x.Subject)
		if err != nil {
			return err
		}
		if u != nil {
			x.User = &exportedUser{
				userJSON{u.Username, u.Email, timestamp(u.CreatedAt), timestamp(u.PasswordChangedAt)},
				"as an Argon2id hash, which is not given", u.Addresses, u.Devices,
			}
		}
	}
	err := withSessions(cmd, cfg, func(s *app.Sessions) error {
		data, err := s.ExportSubject(ctx, remuda.SubjectRequest{Subject: x.Subject, Tenant: x.Tenant})
		for i := range data.Sessions {
			x.Sessions = append(x.Sessions, newExported(&data.Sessions[i]))
		}
		for _, e := range data.Endings {
			x.Endings = append(x.Endings, exportedEnding{timestamp(e.At), timestamp(e.Until), string(e.Reason)})
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // before the first start there are none
		return err
	}
	list, err := app.RefusalsOf(ctx, cfg, x.Subject)
	x.Refusals = append(x.Refusals, list...)
	return err
}

func newExported(p *remuda.PersonalSession) exportedSession {
	x := exportedSession{
		sessionJSON: newSessionJSON(&p.Session), Tenant: p.Tenant, AuthenticatedAt: timestamp(p.AuthenticatedAt),
		Remembered: p.Remembered, Application: p.Application, ACR: p.ACR, AMR: p.AMR, Actor: p.Actor,
		Claims: json.RawMessage(p.Claims), Data: p.Data, EndReason: string(p.Reason), Address: "not kept",
	}
	if p.Claims == "" {
		x.Claims = nil
	}
	if p.HasAddress {
		x.Address = "as a keyed hash, from which it cannot be read"
	}
	if !p.EndedAt.IsZero() {
		x.EndedAt = timestamp(p.EndedAt)
	}
	return x
}

func newSubjectsErase() *cobra.Command {
	cmd := &cobra.Command{
		Use: "erase SUBJECT", Short: "Remove a user, and everything that is held on them", Args: oneArg,
		Long: `Remove a user, and everything that is held on them: their sessions, which end at once,
those that have ended, the data of both, and what is kept of their refused requests.

The revocation log names them until no token of theirs can be good any more. Backups
that were made before keep what they have. It cannot be undone; to do it again is
harmless.`,
	}
	fileFlags(cmd)
	tenant := subjectFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		return eraseSubject(cmd, &cfg, subjectName(args[0], *tenant), *tenant)
	}
	return cmd
}

// eraseSubject removes the user first, so that nobody signs in meanwhile.
func eraseSubject(cmd *cobra.Command, cfg *config.Config, subject, tenant string) error {
	ctx := cmd.Context()
	user := "no user"
	if tenant == "" {
		removed, err := app.RemoveUser(ctx, cfg, subject)
		if err != nil {
			return err
		}
		if removed {
			user = "the user"
		}
	}
	sessions, until, err := eraseSessions(cmd, cfg, remuda.SubjectRequest{Subject: subject, Tenant: tenant})
	if err != nil {
		return err
	}
	refused, err := app.EraseRefusalsOf(ctx, cfg, subject)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("erased %s: %s, %d sessions, %d refusals\n", subject, user, sessions, refused)
	if !until.IsZero() {
		text += fmt.Sprintf("the revocation log names them until %s\n", timestamp(until))
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

// eraseSessions returns how many there were, and until when the log names the subject.
func eraseSessions(cmd *cobra.Command, cfg *config.Config, req remuda.SubjectRequest) (n int, until time.Time, err error) {
	ctx := cmd.Context()
	err = withSessions(cmd, cfg, func(s *app.Sessions) error {
		if n, err = s.EraseSubject(ctx, req); err != nil {
			return err
		}
		left, err := s.ExportSubject(ctx, req)
		for _, e := range left.Endings {
			if e.Until.After(until) {
				until = e.Until
			}
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) { // before the first start there are none
		err = nil
	}
	return n, until, err
}
