package config

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document reads a configuration file for koanf, and remembers where each value
// stands. It takes mappings, lists of scalars and scalars: no anchors, aliases,
// tags or merge keys.
type document struct {
	file    string
	known   *names
	found   *problems
	origins map[string]Origin
	values  map[string]any
}

// Unmarshal implements koanf.Parser. It always succeeds: what is wrong goes to
// the problems.
func (d *document) Unmarshal(body []byte) (map[string]any, error) {
	d.values = map[string]any{}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))                        // the byte order mark of YAML 1.2 section 5.2
	file, err := parser.ParseBytes(body, 0, parser.AllowDuplicateMapKey()) // we look for duplicates ourselves
	if err != nil {
		d.syntax(err)
		return nil, nil
	}
	if len(file.Docs) > 1 {
		d.found.add("", d.at(file.Docs[1].GetToken()), "a second document begins here; one is expected")
	}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		d.node("", file.Docs[0].Body)
	}
	return nested(d.values), nil
}

// Marshal implements koanf.Parser.
func (d *document) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (d *document) syntax(err error) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		d.found.add("", d.at(e.GetToken()), "not YAML: %s", e.GetMessage())
		return
	}
	d.found.add("", Origin{File: d.file}, "not YAML: %v", err)
}

func (d *document) at(t *token.Token) Origin {
	if t == nil || t.Position == nil {
		return Origin{File: d.file}
	}
	return Origin{File: d.file, Line: t.Position.Line, Column: t.Position.Column}
}

// node takes what stands under a name; the empty name is the whole file.
func (d *document) node(name string, n ast.Node) {
	at := d.at(n.GetToken())
	switch n := n.(type) {
	case *ast.MappingNode:
		d.mapping(name, n.Values, at)
	case *ast.MappingValueNode:
		d.mapping(name, []*ast.MappingValueNode{n}, at)
	case *ast.SequenceNode:
		d.sequence(name, n, at)
	case *ast.NullNode, *ast.CommentGroupNode:
		if name != "" && !d.known.section(name) {
			d.found.add(name, at, "has no value")
		}
	default:
		v, ok := scalar(n)
		switch {
		case !ok:
			d.found.add(name, at, "anchors, aliases and tags are not understood here")
		case name == "":
			d.found.add("", at, "settings are expected, like listen: 127.0.0.1:8080")
		case d.known.section(name):
			d.found.add(name, at, "settings are expected under it, one a line and indented")
		default:
			d.values[name], d.origins[name] = v, at
		}
	}
}

func (d *document) mapping(name string, values []*ast.MappingValueNode, at Origin) {
	if name != "" && !d.known.section(name) {
		d.found.add(name, at, "one value is expected, not settings under it")
		return
	}
	seen := map[string]Origin{}
	for _, v := range values {
		key := v.Key.String()
		if s, ok := scalar(v.Key); ok {
			key = s
		}
		at := d.at(v.Key.GetToken())
		full := key
		if name != "" {
			full = name + "." + key
		}
		first, twice := seen[key]
		if name == "profiles" && profileName(key) && !v.Key.IsMergeKey() && !twice {
			d.known.declare(key, at)
		}
		switch {
		case v.Key.IsMergeKey():
			d.found.add(full, at, "merge keys are not understood here")
		case twice:
			d.found.add(full, at, "is there twice; the first is in line %d", first.Line)
		case name == "profiles" && !profileName(key):
			d.found.add(full, at, "is no name of a profile: 1 to 64 characters of a-z, 0-9, - and _")
		case strings.Contains(key, ".") || !d.known.setting(full) && !d.known.section(full):
			d.found.add(full, at, "is not known%s", d.known.suggest(full))
		default:
			d.node(full, v.Value)
		}
		if !twice {
			seen[key] = at
		}
	}
}

func (d *document) sequence(name string, n *ast.SequenceNode, at Origin) {
	if s, ok := d.known.settings[name]; !ok || !s.list {
		d.found.add(name, at, "one value is expected, not a list")
		return
	}
	var list []string
	for _, item := range n.Values {
		v, ok := scalar(item)
		if !ok || v == "" || strings.Contains(v, ",") {
			d.found.add(name, d.at(item.GetToken()), "a plain value is expected in the list")
			continue
		}
		list = append(list, v)
	}
	d.values[name], d.origins[name] = strings.Join(list, ","), at
}

// scalar returns the text of a scalar: of a number or a boolean as it was
// written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.BoolNode:
		return strconv.FormatBool(n.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
