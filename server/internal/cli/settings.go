package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/spf13/cobra"
)

const configUsage = "the configuration `file` (or " + config.FileVariable + ")"

// settingFlags adds --config and the flags of the settings.
func settingFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", configUsage)
	config.Flags(cmd.Flags())
}

// fileFlags adds the flags of a command that works on the files alone.
func fileFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", configUsage)
	cmd.Flags().String("data", config.Default().Data, "the `folder` of the database, the users and the keys")
}

// load reads the configuration from all sources.
func load(cmd *cobra.Command, offline bool) (config.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return config.Config{}, err
	}
	sources := config.Sources{File: config.FileFrom(file), Environ: os.Environ, Flags: cmd.Flags(), Offline: offline}
	c, err := config.Load(sources)
	if err != nil && sources.File == "" && !offline {
		err = fmt.Errorf("%w\n(no configuration file was named: see --config, and 'remuda config example')", err)
	}
	return c, err
}

// newLog returns the logger of a configuration.
func newLog(l config.Log, to io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
