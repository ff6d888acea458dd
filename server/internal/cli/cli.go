package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // the command line cannot be meant
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// Main runs a command line, without the program's name, and returns the exit
// code. SIGINT and SIGTERM end it cleanly; a second one ends it at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root, started := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "remuda: %s\n", err) // nobody is left to tell
	if *started && !isUsage(err) {
		return exitFailure
	}
	_, _ = fmt.Fprintf(stderr, "See '%s --help'.\n", cmd.CommandPath())
	return exitUsage
}

// isUsage reports whether the command line is at fault.
func isUsage(err error) bool {
	var u *usageError
	var c *config.Error
	return errors.As(err, &u) || errors.As(err, &c) && c.FlagsOnly()
}

// newRoot returns the command tree. What goes wrong before started is set is a
// mistake of usage.
func newRoot() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:   "remuda",
		Short: "Sessions: sign users in, renew their tokens, take them back",
		Long: `Remuda signs users in, hands their clients fresh tokens, and takes them back.

  remuda demo                     try it: everything is set up, nothing is kept
  remuda config example           print a configuration to start from
  remuda serve --config FILE      run the server`,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
	}
	root.AddCommand(newDemo(), newServe(), newUsers(), newSessions(), newSubjects(), newKeys(), newBackup(), newRestore(), newToken(), newExplain(), newConfig(), newVersion())
	return root, started
}

// oneArg wants the one argument that the command's use line names.
func oneArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("give one argument: '%s'", cmd.Use)
	}
	return nil
}

// group is a command that only has others under it.
func group(use, short string, under ...*cobra.Command) *cobra.Command {
	names := make([]string, 0, len(under))
	for _, c := range under {
		names = append(names, c.Name())
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q: it is one of %s", use+" "+args[0], strings.Join(names, ", "))
			}
			return usage("%s takes one of these: %s", use, strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(under...)
	return cmd
}
