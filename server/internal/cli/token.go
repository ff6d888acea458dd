package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/codec/jwt"
	"github.com/remuda-go/remuda/codec/opaque"
	"github.com/remuda-go/remuda/codec/paseto"
	"github.com/remuda-go/remuda/server/internal/app"
	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	return group("token", "Explain tokens", newTokenInspect())
}

func newTokenInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Explain a token of this installation, read from standard input",
		Long: `Explain a token of this installation: its kind, key, claims and times, whether it
verifies and whether its session lives. It is read from standard input, so that it
is in no shell history, and sent nowhere. Who it is about is hidden, unless --show.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 { // and do not repeat it: it may be a token
				return usage("it takes no argument: give the token on standard input, where no shell keeps it")
			}
			return nil
		},
	}
	fileFlags(cmd)
	asJSON := jsonFlag(cmd)
	show := cmd.Flags().Bool("show", false, "show the subject and the application's claims")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), codec.MaxToken+2))
		if err != nil {
			return err
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return usage("give the token on standard input")
		}
		return withRing(cmd, func(ctx context.Context, s *app.Sessions) error {
			lines, verified := inspect(ctx, s, token, *show, time.Now())
			if *asJSON {
				err = printInspectedJSON(cmd.OutOrStdout(), lines)
			} else {
				err = printInspected(cmd.OutOrStdout(), lines)
			}
			if err == nil && !verified {
				err = errors.New("the token does not verify")
			}
			return err
		})
	}
	return cmd
}

// inspected is one thing that is said of a token.
type inspected struct{ name, value string }

const hidden = "[hidden; --show shows it]"

// inspect says what there is to say of a token, and whether it verifies.
func inspect(ctx context.Context, s *app.Sessions, token string, show bool, now time.Time) (lines []inspected, verified bool) {
	say := func(name, format string, args ...any) {
		lines = append(lines, inspected{name, fmt.Sprintf(format, args...)})
	}
	kind, c := kindOf(token, s.Ring)
	say("form", "%s, %d bytes", kind, len(token))
	var cl codec.Claims
	for _, typ := range []codec.Type{codec.Access, codec.Refresh, codec.HandOff} {
		if c.Verify(&cl, typ, token) == nil {
			verified = true
			break
		}
	}
	if !verified {
		say("verifies", "no: it was not made with a key of this installation, or was changed, or its key is dead")
		if kid := claimedKey(token); kid != "" {
			say("claims key", "%q (unverified)", kid)
		}
		if kind == "opaque" {
			say("well formed", "%v", opaque.Form(token))
		}
		return lines, false
	}
	say("verifies", "yes, as %s token", cl.Type)
	say("key", "%s (%s), %s", cl.Key, cl.Algorithm, stateOf(s, cl.Key))
	say("session", "%s", remuda.SessionID(cl.Session))
	say("generation", "%d", cl.Gen)
	lines = append(lines, claimLines(&cl, show, now)...)
	return append(lines, inspected{"session now", sessionNow(ctx, s, cl.Session)}), true
}

// claimLines says what the claims are, if the token carries some.
func claimLines(cl *codec.Claims, show bool, now time.Time) (lines []inspected) {
	if cl.Algorithm == codec.Opaque {
		return []inspected{{"claims", "none: they are in the session's record"}}
	}
	text := func(name string, span codec.Span, secret bool) {
		switch v := string(cl.Text(span)); {
		case v == "":
		case secret && !show:
			lines = append(lines, inspected{name, hidden})
		default:
			lines = append(lines, inspected{name, v})
		}
	}
	instant := func(name string, unix int64) {
		t := time.Unix(unix, 0)
		lines = append(lines, inspected{name, timestamp(t) + " (" + relative(t, now) + ")"})
	}
	text("issuer", cl.Issuer, false)
	text("audience", cl.Audience, false)
	text("subject", cl.Subject, true)
	text("tenant", cl.Tenant, true)
	text("profile", cl.Profile, false)
	instant("issued", cl.IssuedAt)
	instant("expires", cl.Expires)
	if cl.Type == codec.Access {
		instant("authenticated", cl.AuthTime)
		instant("session began", cl.Started/1000)
	}
	text("level", cl.ACR, false)
	text("methods", cl.AMR, false)
	text("application's claims", cl.App, true)
	return lines
}

// relative says how far an instant is away.
func relative(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	if d < 0 {
		return (-d).String() + " ago"
	}
	return "in " + d.String()
}

// kindOf tells the format of a token by how it begins.
func kindOf(token string, keys codec.Keys) (string, codec.Codec) {
	switch {
	case strings.HasPrefix(token, "rmd_"):
		return "opaque", opaque.New(keys)
	case strings.HasPrefix(token, "v4."):
		return "PASETO", paseto.New(keys)
	default:
		return "JWT", jwt.New(keys)
	}
}

// claimedKey is the key id that a token claims, for people alone: it is not
// verified, and what is no short plain text is not repeated.
func claimedKey(token string) string {
	segment, _, _ := strings.Cut(token, ".")
	if strings.HasPrefix(token, "v4.") {
		segment = token[strings.LastIndexByte(token, '.')+1:]
	}
	text, err := base64.RawURLEncoding.DecodeString(segment)
	var header struct {
		Kid string `json:"kid"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil || len(header.Kid) > 64 {
		return ""
	}
	return header.Kid
}

func stateOf(s *app.Sessions, id string) string {
	for _, k := range s.Ring.List() {
		if k.ID == id {
			return string(k.State)
		}
	}
	return "unknown"
}

// sessionNow says what has become of the session.
func sessionNow(ctx context.Context, s *app.Sessions, id remuda.SessionID) string {
	switch _, err := s.Session(ctx, id); {
	case err == nil:
		return "lives"
	case errors.Is(err, remuda.ErrSessionEnded):
		return "has ended" + endReason(err)
	case errors.Is(err, remuda.ErrSessionExpired):
		return "has expired" + endReason(err)
	case errors.Is(err, remuda.ErrTokenInvalid):
		return "has no record here"
	default:
		return "not known: " + err.Error()
	}
}

// endReason says why a session has ended and when, as far as an error tells.
func endReason(err error) string {
	text := ""
	if refused, ok := errors.AsType[*remuda.RefusalError](err); ok {
		text = ": " + string(refused.Reason)
		for _, f := range refused.Facts {
			switch f.Key {
			case "end_reason":
				text += ", " + f.Value.String()
			case "ended":
				text += ", " + timestamp(f.Value.Time())
			}
		}
	}
	return text
}

func printInspected(w io.Writer, lines []inspected) error {
	rows := make([][]string, 0, len(lines))
	for _, l := range lines[1:] {
		rows = append(rows, []string{l.name, l.value})
	}
	return printTable(w, []string{lines[0].name, lines[0].value}, rows)
}

func printInspectedJSON(w io.Writer, lines []inspected) error {
	m := map[string]string{}
	for _, l := range lines {
		m[strings.ReplaceAll(strings.ReplaceAll(l.name, " ", "_"), "'", "")] = l.value
	}
	return printJSON(w, m)
}
