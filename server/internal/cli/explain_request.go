package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/remuda-go/remuda/server/internal/config"
	"github.com/remuda-go/remuda/server/internal/refusals"
	"github.com/spf13/cobra"
)

// requestID is the form of the id of a request: that of crypto/rand.Text.
var requestID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// explained is a refusal as it is shown.
type explained struct {
	refusals.Entry

	SessionNow string `json:"session_now,omitempty"` // of the last step that names one
}

// explainRequest says what is kept of a request that was refused.
func explainRequest(cmd *cobra.Command, id string, asJSON bool) error {
	cfg, err := load(cmd, true)
	if err != nil {
		return err
	}
	e := explained{}
	switch e.Entry, err = refusals.Find(cmd.Context(), cfg.Refusals, id); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there are no refusals at %s; a server makes the file when it starts, unless refusals_kept is 0, and --config or --data say where", cfg.Refusals)
	case errors.Is(err, refusals.ErrNotFound):
		return fmt.Errorf(`%s is not in %s. Likely reasons:
  - another node answered: each has a file of its own, and so has each folder
  - it is older than refusals_kept (%s), or a thousand of its code have come since
  - it was dropped in a flood: the log says "refusals not kept"
  - the request was not refused, or the id is not whole`, id, cfg.Refusals, config.FormatDuration(cfg.RefusalsKept))
	case err != nil:
		return err
	}
	e.SessionNow = e.sessionNow(cmd, &cfg)
	if asJSON {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return printRequest(cmd.OutOrStdout(), &e)
}

// sessionNow says what has become of the session that a step names, or "".
func (e *explained) sessionNow(cmd *cobra.Command, cfg *config.Config) (now string) {
	for _, s := range e.Steps {
		text, _ := s.Facts["session"].(string)
		id, err := remuda.ParseSessionID(text)
		if err != nil {
			continue
		}
		err = withSessions(cmd, cfg, func(sessions *app.Sessions) error {
			now = sessionNow(cmd.Context(), sessions, id)
			return nil
		})
		if err != nil {
			now = "not known: " + err.Error()
		}
	}
	return now
}

// wrap breaks a text into indented lines.
func wrap(text, indent string) string {
	const width = 84
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}

func printRequest(w io.Writer, e *explained) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s at %s: %s (%d, action %s)\n", e.Method, e.Path, e.Time.Format("2006-01-02T15:04:05.000Z"), e.Code, e.Status, e.Action)
	for i, s := range e.Steps {
		fmt.Fprintf(&b, "\n%d. %s\n", i+1, s.Reason)
		for _, name := range slices.Sorted(maps.Keys(s.Facts)) {
			fmt.Fprintf(&b, "   %-14s %v\n", name, s.Facts[name])
		}
		b.WriteString(wrap(textOf(s.Reason), "   "))
	}
	if e.SessionNow != "" {
		fmt.Fprintf(&b, "\nsession now: %s\n", e.SessionNow)
	}
	fmt.Fprintf(&b, "\nFor the code: remuda explain %s\n", e.Code)
	_, err := io.WriteString(w, b.String())
	return err
}
