package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// The variables of the environment that are no setting's.
const (
	// FileVariable names the configuration file, where no flag does.
	FileVariable = "REMUDA_CONFIG"
	// MasterFileVariable names a file that holds the master key alone, as secrets
	// are mounted into containers.
	MasterFileVariable = "REMUDA_KEYS_MASTER_FILE"
)

// Sources are where settings come from besides the defaults.
type Sources struct {
	File    string          // empty: none
	Environ func() []string // nil: none; see os.Environ
	Flags   *pflag.FlagSet  // nil: none; only those that were given count
	// Offline says that nothing will be served: origins, listen and what
	// belongs to them need not be set, and are not checked.
	Offline bool
}

// Load reads all sources and checks the whole. It returns an [*Error] with
// everything that is wrong.
func Load(src Sources) (Config, error) {
	l := loader{known: newNames(), origins: map[string]Origin{}, merged: koanf.New(".")}
	l.defaults()
	l.file(src.File)
	l.environment(src.Environ)
	l.flags(src.Flags)
	c := Default()
	l.decode(&c)
	c.Derive()
	l.check(&c, src.Offline)
	return c, l.found.err()
}

// loader puts one source on top of the other.
type loader struct {
	known   *names
	found   problems
	origins map[string]Origin // of the value that counts; none for a default
	merged  *koanf.Koanf
}

// add puts a source on top, and notes where its values come from.
func (l *loader) add(p koanf.Provider, parser koanf.Parser, origin func(name string) Origin) {
	layer := koanf.New(".")
	if err := layer.Load(p, parser); err != nil {
		l.found.add("", origin(""), "%v", err)
		return
	}
	for _, name := range layer.Keys() {
		l.origins[name] = origin(name)
		l.try(name, layer.String(name))
	}
	if err := l.merged.Merge(layer); err != nil {
		l.found.add("", origin(""), "%v", err)
	}
}

// try reports what is wrong with one value, also if another source overrides it.
func (l *loader) try(name, value string) {
	var c Config
	err := l.known.settings[name].kind.set(&c, value)
	if err == nil || l.origins[name] == (Origin{}) {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		l.found.add(name, l.origins[name], "%s", line)
	}
}

func (l *loader) defaults() {
	c := Default()
	values := map[string]any{}
	for _, s := range c.Settings() {
		values[s.Name] = s.Get(&c)
	}
	l.add(confmap.Provider(values, "."), nil, func(string) Origin { return Origin{} })
}

func (l *loader) file(path string) {
	if path == "" {
		return
	}
	if irregular(path) {
		l.found.add("", Origin{File: path}, "is not a regular file")
		return
	}
	d := &document{file: path, known: l.known, found: &l.found, origins: map[string]Origin{}}
	l.add(file.Provider(path), d, func(name string) Origin {
		if name == "" {
			return Origin{File: path}
		}
		return d.origins[name]
	})
	l.relative(path)
}

// irregular reports whether a path leads to a pipe or a device, which may never
// end and would not be stopped by a signal.
func irregular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular()
}

// relative makes the paths in a file, and the default folder, relative to the
// file's folder, wherever the server is started.
func (l *loader) relative(path string) {
	for _, name := range []string{"data", "database", "users", "keys_file", "refusals", "places", "notices.folder", "tls.cert", "tls.key"} {
		if v := l.merged.String(name); v != "" && !filepath.IsAbs(v) {
			_ = l.merged.Set(name, filepath.Join(filepath.Dir(path), v)) // fails for an empty name alone
		}
	}
}

// environment takes REMUDA_… variables. An empty one counts as not set. In
// Kubernetes a service of the name remuda makes variables of its own for every
// pod; they are left alone, as is the switch of this project's own tests.
func (l *loader) environment(environ func() []string) {
	if environ == nil {
		return
	}
	settings := l.variables()
	origin := map[string]Origin{}
	take := func(variable, value string) (string, any) {
		name, ok := settings[variable]
		if variable == MasterFileVariable {
			name, ok, value = "keys_master", true, l.masterFile(value)
		}
		switch {
		case ok && value != "":
			if other, twice := origin[name]; twice {
				l.found.add(name, Origin{Variable: variable}, "is set beside %s; set one of the two", other)
			}
			origin[name] = Origin{Variable: variable}
			return name, value
		case !ok && value != "" && variable != FileVariable && !foreign(variable):
			l.found.add("", Origin{Variable: variable}, "is not known%s", suggestVariable(variable, settings))
		}
		return "", nil
	}
	l.add(env.Provider(".", env.Opt{Prefix: "REMUDA_", TransformFunc: take, EnvironFunc: environ}), nil,
		func(name string) Origin { return origin[name] })
}

// masterFile returns the master key from the file at path, or "" if there is none,
// which it says unless no file is meant.
func (l *loader) masterFile(path string) string {
	if path == "" {
		return ""
	}
	if irregular(path) {
		l.found.add("keys_master", Origin{Variable: MasterFileVariable}, "%s is not a regular file", path)
		return ""
	}
	text, err := os.ReadFile(path)
	key := strings.TrimSpace(string(text))
	if err == nil && key == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	if err != nil {
		l.found.add("keys_master", Origin{Variable: MasterFileVariable}, "%v", err)
	}
	return key
}

// variables returns the settings by their variables, and says of a profile if it
// cannot be told from another one there.
func (l *loader) variables() map[string]string {
	settings := map[string]string{}
	for name, s := range l.known.settings {
		if !strings.HasPrefix(name, "profiles.") {
			settings[s.Variable()] = name
		}
	}
	for _, profile := range l.known.profiles() {
		for _, s := range profileSettings(profile) {
			if other, taken := settings[s.Variable()]; taken {
				l.found.add(s.Name, l.known.declared[profile], "has the same variable as %s, %s: rename one of the profiles", other, s.Variable())
				break
			}
			settings[s.Variable()] = s.Name
		}
	}
	return settings
}

func foreign(variable string) bool {
	rest := strings.TrimPrefix(variable, "REMUDA_")
	return rest == "SOAK" || rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_")
}

func suggestVariable(variable string, settings map[string]string) string {
	return didYouMean(nearest(variable, slices.Collect(maps.Keys(settings))))
}

// flags takes the flags that were given and are a setting's.
func (l *loader) flags(flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	settings := map[string]string{}
	for name, s := range l.known.settings {
		if s.Flag != "" {
			settings[s.Flag] = name
		}
	}
	take := func(f *pflag.Flag) (string, any) {
		name, ok := settings[f.Name]
		if !ok || !f.Changed {
			return "", nil
		}
		return name, f.Value.String()
	}
	l.add(posflag.ProviderWithFlag(flags, ".", l.merged, take), nil,
		func(name string) Origin { return Origin{Flag: "--" + l.known.settings[name].Flag} })
}

// Flags defines the flags of all settings that have one.
func Flags(flags *pflag.FlagSet) {
	c := Default()
	for _, s := range c.Settings() {
		if s.Flag != "" {
			flags.String(s.Flag, s.Get(&c), s.Usage)
		}
	}
}

// decode sets every setting that has a value of its own. What is wrong with a
// value has been said.
func (l *loader) decode(c *Config) {
	for _, s := range fixedSettings() {
		if _, ok := l.set(s.Name); ok || s.Name == "data" {
			_ = s.kind.set(c, l.merged.String(s.Name))
		}
	}
	l.decodeProfiles(c)
}

// FileFrom returns the configuration file to use: the flag's or, without it,
// that of the environment.
func FileFrom(flag string) string {
	if flag != "" {
		return flag
	}
	return os.Getenv(FileVariable)
}
