package cli

import (
	"fmt"
	"io"

	"github.com/remuda-go/remuda/server"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/spf13/cobra"
)

func newConfig() *cobra.Command {
	return group("config", "Check a configuration, or print an example", newConfigCheck(), newConfigExample())
}

func newConfigCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with a configuration",
		Long: `Report everything that is wrong with a configuration: the file, the environment
and the flags together. Nothing is started or opened. Without problems, print
what applies.`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load(cmd, false)
		if err != nil {
			return err
		}
		return printConfig(cmd.OutOrStdout(), &c, *asJSON)
	}
	return cmd
}

// printConfig prints all settings, secrets redacted.
func printConfig(w io.Writer, c *config.Config, asJSON bool) error {
	if asJSON {
		values := map[string]string{}
		for _, s := range c.Settings() {
			values[s.Name] = s.Get(c)
		}
		return printJSON(w, map[string]any{"settings": values})
	}
	var rows [][]string
	for _, s := range c.Settings() {
		rows = append(rows, []string{s.Name, s.Get(c)})
	}
	return printTable(w, []string{"SETTING", "VALUE"}, rows)
}

func newConfigExample() *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a configuration to start from, with everything explained",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), server.ExampleConfig)
			return err
		},
	}
}
