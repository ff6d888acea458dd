package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/directory"
	"github.com/spf13/cobra"
)

func newUsers() *cobra.Command {
	return group("users", "Add users, list them, set their passwords and addresses", newUsersAdd(), newUsersList(), newUsersPasswd(), newUsersEmail())
}

func newUsersAdd() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME", Short: "Add a user", Args: oneArg}
	fileFlags(cmd)
	fromStdin := passwordFlag(cmd)
	email := cmd.Flags().String("email", "", "where the user is written to, as an `address`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := directory.CheckEmail(*email); err != nil {
			return usage("--email: %v", err)
		}
		return withPassword(cmd, *fromStdin, func(cfg *config.Config, password string) error {
			if err := withUsers(cmd.Context(), cfg, created, func(d *directory.Directory) error {
				if err := d.Add(cmd.Context(), args[0], password); err != nil {
					return err
				}
				return d.SetEmail(cmd.Context(), args[0], *email)
			}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "added %s\n", username(args[0]))
			return err
		})
	}
	return cmd
}

func newUsersEmail() *cobra.Command {
	cmd := &cobra.Command{
		Use: "email NAME [ADDRESS]", Short: "Set where a user is written to, or that it is nowhere", Args: cobra.RangeArgs(1, 2),
	}
	fileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		address := ""
		if len(args) == 2 {
			address = args[1]
		}
		if err := directory.CheckEmail(address); err != nil {
			return usage("%v", err)
		}
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		return withUsers(cmd.Context(), &cfg, existing, func(d *directory.Directory) error {
			return d.SetEmail(cmd.Context(), args[0], address)
		})
	}
	return cmd
}

func newUsersPasswd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "passwd NAME", Short: "Set a user's password, and end the user's sessions", Args: oneArg,
	}
	fileFlags(cmd)
	fromStdin := passwordFlag(cmd)
	keep := cmd.Flags().Bool("keep-sessions", false, "let the user's sessions live")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withPassword(cmd, *fromStdin, func(cfg *config.Config, password string) error {
			if err := withUsers(cmd.Context(), cfg, existing, func(d *directory.Directory) error {
				return d.SetPassword(cmd.Context(), args[0], password)
			}); err != nil {
				return err
			}
			ended, err := 0, error(nil)
			if !*keep {
				ended, err = endAfterPassword(cmd, cfg, username(args[0]))
			}
			if err != nil {
				return fmt.Errorf("the password of %s is set, but sessions live on: %w", username(args[0]), err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "set the password of %s; %s\n", username(args[0]), countEnded(ended))
			return err
		})
	}
	return cmd
}

// endAfterPassword ends a user's sessions. Before the first start there are
// none.
func endAfterPassword(cmd *cobra.Command, cfg *config.Config, name string) (int, error) {
	ended := 0
	err := withSessions(cmd, cfg, func(s *app.Sessions) error {
		e, err := s.EndAll(cmd.Context(), remuda.EndAllRequest{Subject: name, Reason: remuda.EndPasswordChanged})
		if err != nil {
			return err
		}
		ended, err = e.Wait(cmd.Context())
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return ended, err
}

// userJSON is one user in a list.
type userJSON struct {
	Username          string `json:"username"`
	Email             string `json:"email"`
	CreatedAt         string `json:"created_at"`
	PasswordChangedAt string `json:"password_changed_at"`
}

func newUsersList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the users", Args: cobra.NoArgs}
	fileFlags(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		return withUsers(cmd.Context(), &cfg, existing, func(d *directory.Directory) error {
			return printUsers(cmd, d, *asJSON)
		})
	}
	return cmd
}

func printUsers(cmd *cobra.Command, d *directory.Directory, asJSON bool) error {
	users, err := d.List(cmd.Context())
	if err != nil {
		return err
	}
	list, rows := []userJSON{}, [][]string{}
	for _, u := range users {
		j := userJSON{u.Username, u.Email, timestamp(u.CreatedAt), timestamp(u.PasswordChangedAt)}
		list, rows = append(list, j), append(rows, []string{j.Username, j.Email, j.CreatedAt, j.PasswordChangedAt})
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"users": list})
	}
	return printTable(cmd.OutOrStdout(), []string{"USER", "E-MAIL", "CREATED", "PASSWORD CHANGED"}, rows)
}

// withPassword loads the configuration, then reads a password, so that nobody
// types one in vain.
func withPassword(cmd *cobra.Command, fromStdin bool, do func(cfg *config.Config, password string) error) error {
	cfg, err := load(cmd, true)
	if err != nil {
		return err
	}
	password, err := readPassword(cmd, fromStdin)
	if err != nil {
		return err
	}
	return do(&cfg, password)
}

// whether says whether a directory that is not there is made.
type whether bool

const (
	existing whether = false
	created  whether = true
)

// withUsers opens the directory for do, and closes it.
func withUsers(ctx context.Context, cfg *config.Config, w whether, do func(*directory.Directory) error) (err error) {
	_, err = os.Stat(cfg.Users)
	if w == existing && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there are none at %s; 'remuda users add' makes the first, and --config or --data say where", cfg.Users)
	}
	if w == existing && err != nil {
		return fmt.Errorf("users: %w", err)
	}
	d, err := app.OpenUsers(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return do(d)
}

// username is a name as the directory keeps it: ASCII in lower case. It takes
// no other letters.
func username(name string) string { return strings.ToLower(name) }
