package cli

import (
	"fmt"

	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := app.ReadBuild()
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), v)
		}
		line := "remuda " + v.Version
		if v.Revision != "" {
			line += " (" + v.Revision + ")"
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), line, v.Go)
		return err
	}
	return cmd
}
