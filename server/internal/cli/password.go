package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxInput bounds what is read as a password; the directory has its own limit.
const maxInput = 4 << 10

// passwordFlag adds --password-stdin. There is no flag for the password itself:
// arguments are seen by everybody on the machine, and kept by shells.
func passwordFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
}

// readPassword asks for a password at the terminal, twice and without echo, or
// reads it from standard input.
func readPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		return readInput(cmd.InOrStdin())
	}
	terminal, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", usage("there is no terminal to ask for the password at: use --password-stdin")
	}
	first, err := ask(cmd.Context(), cmd.ErrOrStderr(), terminal, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask(cmd.Context(), cmd.ErrOrStderr(), terminal, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

// ask reads one line without echo. When the context ends it gives up, and the
// terminal gets its echo back; the program ends then.
func ask(ctx context.Context, to io.Writer, terminal *os.File, prompt string) (string, error) {
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(to, prompt); err != nil {
		return "", err
	}
	defer func() { _, _ = fmt.Fprintln(to) }() // the line end that was not echoed
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(int(terminal.Fd()))
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(int(terminal.Fd()), before))
	}
}

// readInput reads all there is, without the line's end.
func readInput(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if len(text) > maxInput {
		return "", errors.New("standard input: that is too long for a password")
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if strings.ContainsAny(s, "\r\n") {
		return "", errors.New("standard input: one line is expected")
	}
	return s, nil
}
