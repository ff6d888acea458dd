package cli

import (
	"fmt"

	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FOLDER", Short: "Copy sessions, users and keys into a new folder, while servers run or not", Args: oneArg,
	}
	fileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		m, err := app.Backup(cmd.Context(), &cfg, args[0])
		if err != nil {
			return err
		}
		var size int64
		for _, f := range m.Files {
			size += f.Size
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files, %d bytes, in %s\n%s\n", len(m.Files), size, args[0], keepApart(&cfg))
		return err
	}
	return cmd
}

// keepApart says what else a restore needs, or what to mind.
func keepApart(cfg *config.Config) string {
	switch {
	case !cfg.Keys.IsZero():
		return "The key ring is not in it: it is in the setting keys. Without it nothing in the backup can be opened."
	case !cfg.KeysMaster.IsZero():
		return "The key ring in it is sealed: keep keys_master apart, without which nothing can be opened."
	default:
		return "The key ring is in it, as it is: whoever has the folder can sign tokens. Keep it as safe as the server."
	}
}

func newRestore() *cobra.Command {
	var o app.RestoreOptions
	cmd := &cobra.Command{
		Use: "restore FOLDER", Short: "Put a backup where the configuration has its files", Args: oneArg,
		Long: `Put a backup where the configuration has its files, while no server runs. Everything is
checked before anything is put in its place: every byte, and that the keys open the
sessions.

All sessions of the backup end: those that were ended after it was made would live
again. Users sign in anew.`,
	}
	fileFlags(cmd)
	cmd.Flags().BoolVar(&o.Replace, "replace", false, `move what is there out of the way: files get ".before-restore" behind their names`)
	cmd.Flags().BoolVar(&o.KeepSessions, "dangerously-revive-sessions", false, "let the backup's sessions live, also those that were ended after it was made")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, true)
		if err != nil {
			return err
		}
		n, err := app.Restore(cmd.Context(), &cfg, args[0], o, newLog(cfg.Log, cmd.ErrOrStderr()))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored %s; %s\n", args[0], countEnded(n))
		return err
	}
	return cmd
}
