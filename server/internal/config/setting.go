package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/codec"
)

// Setting is one thing that can be set.
type Setting struct {
	Name  string // "profiles.web.access"
	Flag  string // without dashes; empty if no flag sets it
	Usage string // of the flag
	kind  kind
	list  bool
}

// kind reads and writes the values of a setting.
type kind struct {
	set func(c *Config, v string) error
	get func(c *Config) string
}

// Variable is the environment variable that sets it.
func (s Setting) Variable() string {
	return "REMUDA_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Name))
}

// Get returns the value in a configuration as text. A secret is redacted.
func (s Setting) Get(c *Config) string { return s.kind.get(c) }

func text(at func(*Config) *string) kind {
	return kind{
		set: func(c *Config, v string) error { *at(c) = v; return nil },
		get: func(c *Config) string { return *at(c) },
	}
}

func secret(at func(*Config) *Secret) kind {
	return kind{
		set: func(c *Config, v string) error { at(c).s = v; return nil },
		get: func(c *Config) string {
			if at(c).IsZero() {
				return ""
			}
			return at(c).String()
		},
	}
}

// texts is a list; its text is separated by commas.
func texts(at func(*Config) *[]string) kind {
	return kind{
		set: func(c *Config, v string) error { *at(c) = split(v); return nil },
		get: func(c *Config) string { return strings.Join(*at(c), ",") },
	}
}

func split(v string) []string {
	var list []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func prefixes(at func(*Config) *[]netip.Prefix) kind {
	return kind{
		set: func(c *Config, v string) error {
			var list []netip.Prefix
			var errs []error
			for _, part := range split(v) {
				p, err := parsePrefix(part)
				list, errs = append(list, p), append(errs, err)
			}
			*at(c) = list
			return errors.Join(errs...)
		},
		get: func(c *Config) string {
			var list []string
			for _, p := range *at(c) {
				list = append(list, p.String())
			}
			return strings.Join(list, ",")
		},
	}
}

// parsePrefix reads a network, or an address as the network of it alone.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a network, like 10.0.0.0/8", s)
	}
	return p, nil
}

func boolean(at func(*Config) *bool) kind {
	return kind{
		set: func(c *Config, v string) error {
			switch v {
			case "true", "false":
				*at(c) = v == "true"
				return nil
			}
			return fmt.Errorf("%q is neither true nor false", v)
		},
		get: func(c *Config) string { return strconv.FormatBool(*at(c)) },
	}
}

// not is a boolean that is kept the other way round.
func not(b kind) kind {
	other := map[string]string{"true": "false", "false": "true"}
	return kind{
		set: func(c *Config, v string) error {
			if o, ok := other[v]; ok {
				v = o
			}
			return b.set(c, v)
		},
		get: func(c *Config) string { return other[b.get(c)] },
	}
}

func integer(at func(*Config) *int) kind {
	return kind{
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil {
				return fmt.Errorf("%q is not a whole number", v)
			}
			*at(c) = n
			return nil
		},
		get: func(c *Config) string { return strconv.Itoa(*at(c)) },
	}
}

func fraction(at func(*Config) *float64) kind {
	return kind{
		set: func(c *Config, v string) error {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
				return fmt.Errorf("%q is not a number", v)
			}
			*at(c) = n
			return nil
		},
		get: func(c *Config) string { return strconv.FormatFloat(*at(c), 'g', -1, 64) },
	}
}

func duration(at func(*Config) *time.Duration) kind {
	return kind{
		set: func(c *Config, v string) error {
			d, err := ParseDuration(v)
			if err != nil {
				return err
			}
			*at(c) = d
			return nil
		},
		get: func(c *Config) string { return FormatDuration(*at(c)) },
	}
}

// choice is one of a few values, named in their order.
func choice[T comparable](at func(*Config) *T, options ...option[T]) kind {
	return kind{
		set: func(c *Config, v string) error {
			names := make([]string, 0, len(options))
			for _, o := range options {
				if o.name == v {
					*at(c) = o.value
					return nil
				}
				names = append(names, o.name)
			}
			return fmt.Errorf("%q is not one of %s", v, oneOf(names))
		},
		get: func(c *Config) string {
			i := slices.IndexFunc(options, func(o option[T]) bool { return o.value == *at(c) })
			if i < 0 {
				return ""
			}
			return options[i].name
		},
	}
}

func oneOf(names []string) string { return strings.Join(names, ", ") }

type option[T any] struct {
	name  string
	value T
}

const day = 24 * time.Hour

// ParseDuration is [time.ParseDuration] that knows days too: "30d", "1d12h".
func ParseDuration(s string) (time.Duration, error) {
	whole, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		whole, rest = "0", s
	}
	days, err := strconv.ParseUint(whole, 10, 16)
	var d time.Duration
	if err == nil && (rest != "" || !hasDays) {
		d, err = time.ParseDuration(rest)
	}
	if err != nil || d < 0 || time.Duration(days) > (math.MaxInt64-d)/day {
		return 0, fmt.Errorf("%q is not a duration, like 30s, 10m, 12h or 30d", s)
	}
	return time.Duration(days)*day + d, nil
}

// FormatDuration writes a duration as ParseDuration reads it, and as people
// write it.
func FormatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

var algorithms = []option[codec.Algorithm]{
	{"HS256", codec.HS256},
	{"EdDSA", codec.EdDSA},
	{"ES256", codec.ES256},
	{"v4.local", codec.V4Local},
	{"v4.public", codec.V4Public},
	{"opaque", codec.Opaque},
}

var credentials = []option[remuda.Credential]{{"jwt", remuda.JWT}, {"paseto", remuda.PASETO}, {"opaque", remuda.Opaque}}

var transports = []option[remuda.Transport]{{"cookie", remuda.Cookie}, {"bearer", remuda.Bearer}}

var renewals = []option[remuda.Renewal]{{"rotate", remuda.Rotate}, {"extend", remuda.Extend}, {"fixed", remuda.Fixed}}

var livenesses = []option[remuda.Liveness]{{"log", remuda.LiveLog}, {"store", remuda.LiveStore}, {"expiry", remuda.LiveExpiry}}

var outages = []option[remuda.OutagePolicy]{{"check", remuda.OutageCheck}, {"deny", remuda.OutageDeny}, {"serve", remuda.OutageServe}}
