package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/paseto"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/spf13/cobra"
)

func newKeys() *cobra.Command {
	return group("keys", "List keys, or change them, while servers run or not",
		newKeysList(), newKeysRotate(), newKeysRetire(), newKeysCompromise(), newKeysMaster())
}

// keyJSON is one key in a list; never its secret.
type keyJSON struct {
	ID          string `json:"id"`
	Algorithm   string `json:"algorithm"`
	State       string `json:"state"`
	Created     string `json:"created"`
	Activates   string `json:"activates"`
	Retires     string `json:"retires"`
	Expires     string `json:"expires"`
	Compromised string `json:"compromised"`
	Public      string `json:"public,omitempty"` // v4.public: as PASERK k4.public
}

func newKeyJSON(k *keyring.Info) keyJSON {
	j := keyJSON{
		ID: k.ID, Algorithm: string(k.Algorithm), State: string(k.State), Created: timestamp(k.Created), Activates: timestamp(k.Activates),
		Retires: timestamp(k.Retires), Expires: timestamp(k.Expires), Compromised: timestamp(k.Compromised),
	}
	if public, ok := k.Public.(ed25519.PublicKey); ok && k.Algorithm == codec.V4Public {
		j.Public = paseto.PublicKeyText(public)
	}
	return j
}

func newKeysList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the keys, without their secrets", Args: cobra.NoArgs}
	fileFlags(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withRing(cmd, func(_ context.Context, s *app.Sessions) error {
			list := []keyJSON{}
			for _, k := range s.Ring.List() {
				list = append(list, newKeyJSON(&k))
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"keys": list})
			}
			var rows [][]string
			for _, k := range list {
				rows = append(rows, []string{k.ID, k.Algorithm, k.State, k.Activates, k.Retires, k.Expires})
			}
			return printTable(cmd.OutOrStdout(), []string{"KEY", "ALGORITHM", "STATE", "ACTIVE FROM", "RETIRES", "EXPIRES"}, rows)
		})
	}
	return cmd
}

func newKeysRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate ALGORITHM",
		Short: "Let the next key of an algorithm take over; users notice nothing",
		Long: `Let the key in reserve for an algorithm take over (HS256, EdDSA, ES256, v4.local,
v4.public), or root: that from which sealing and CSRF tokens have theirs. It takes
over at once if all servers can know it; else it says when. What the former key
has made stays good until it expires.`,
		Args: oneArg,
	}
	fileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withRing(cmd, func(ctx context.Context, s *app.Sessions) error {
			k, err := s.Ring.Rotate(ctx, codec.Algorithm(args[0]))
			if errors.Is(err, keyring.ErrUnknownKey) {
				return fmt.Errorf("there is no key for %q; there are some for %s", args[0], strings.Join(algorithmsOf(s.Ring), ", "))
			}
			if err != nil {
				return keyError(err, args[0])
			}
			when := "now"
			if k.Activates.After(time.Now()) {
				when = "from " + timestamp(k.Activates) + " on"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s signs %s\n", k.ID, when)
			return err
		})
	}
	return cmd
}

func newKeysRetire() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire KEY",
		Short: "End a retiring key before its time: what it made is refused",
		Args:  oneArg,
	}
	fileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withRing(cmd, func(ctx context.Context, s *app.Sessions) error {
			if err := s.Ring.Retire(ctx, args[0]); err != nil {
				return keyError(err, args[0])
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "key %s has retired\n", args[0])
			return err
		})
	}
	return cmd
}

func newKeysCompromise() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compromise KEY",
		Short: "Kill a key that somebody else may have: what it made is refused everywhere",
		Long: `Kill a key that somebody else may have. All servers refuse what it made within
seconds, refresh tokens too: users who hold nothing else sign in again. Of a root
the sessions end that are sealed under it. The key in reserve takes over.`,
		Args: oneArg,
	}
	fileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withRing(cmd, func(ctx context.Context, s *app.Sessions) error {
			if err := s.CompromiseKey(ctx, args[0]); err != nil {
				return keyError(err, args[0])
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "key %s is dead\n", args[0])
			return err
		})
	}
	return cmd
}

func newKeysMaster() *cobra.Command {
	return &cobra.Command{
		Use:   "master",
		Short: "Make a master key, which seals the key ring where it is kept, and print it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := keyring.NewMaster()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), m.Reveal())
			return err
		},
	}
}

// withRing opens an installation for do, beside any server that runs.
func withRing(cmd *cobra.Command, do func(ctx context.Context, s *app.Sessions) error) error {
	cfg, err := load(cmd, true)
	if err != nil {
		return err
	}
	return withSessions(cmd, &cfg, func(s *app.Sessions) error { return do(cmd.Context(), s) })
}

// keyError says what there would be.
func keyError(err error, what string) error {
	switch {
	case errors.Is(err, keyring.ErrUnknownKey):
		return fmt.Errorf("there is no key %q: see 'remuda keys list'", what)
	case errors.Is(err, keyring.ErrInUse):
		return fmt.Errorf("key %s is in use: rotate first, or say compromise", what)
	case errors.Is(err, keyring.ErrFixed):
		return errors.New("the keys are those of REMUDA_KEYS: change them there")
	}
	return err
}

func algorithmsOf(r *keyring.Ring) (list []string) {
	seen := map[codec.Algorithm]bool{}
	for _, k := range r.List() {
		if !seen[k.Algorithm] {
			list = append(list, string(k.Algorithm))
		}
		seen[k.Algorithm] = true
	}
	return list
}
