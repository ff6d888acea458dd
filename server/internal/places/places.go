// Package places says where an address roughly is, from a file that an operator has.
package places

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPlace is the longest name of a place, in bytes.
const maxPlace = 64

// maxProblems is how many problems of a file are listed.
const maxProblems = 20

// Table knows places by network. It is safe for concurrent use.
type Table struct {
	networks map[netip.Prefix]string
	bits     []int // the lengths of prefixes that there are, the longest first
}

// Open reads a file of lines "network,place" (RFC 4180), such as
// "192.0.2.0/24,Lisbon". Lines that begin with "#" are left out. Of several networks
// that hold an address the smallest counts. The error lists everything that is wrong,
// with the lines.
func Open(path string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	t := &Table{networks: map[netip.Prefix]string{}}
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.Comment, r.TrimLeadingSpace, r.ReuseRecord = 2, '#', true, true
	var problems []error
	for len(problems) < maxProblems {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := r.FieldPos(0)
		if err == nil {
			err = t.add(fields[0], fields[1])
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			line, err = bad.Line, bad.Err
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", path, line, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	var there [129]bool
	for p := range t.networks {
		there[p.Bits()] = true
	}
	for bits := len(there) - 1; bits >= 0; bits-- {
		if there[bits] {
			t.bits = append(t.bits, bits)
		}
	}
	return t, nil
}

func (t *Table) add(network, place string) error {
	p, err := netip.ParsePrefix(strings.TrimSpace(network))
	place = strings.TrimSpace(place)
	switch {
	case err != nil || p != p.Masked():
		return fmt.Errorf("%q is not a network like 192.0.2.0/24", network)
	case place == "" || len(place) > maxPlace || !utf8.ValidString(place) || strings.ContainsFunc(place, unicode.IsControl):
		return fmt.Errorf("a place is 1 to %d bytes of UTF-8 without control characters", maxPlace)
	case t.networks[p] != "":
		return fmt.Errorf("%s is there twice", p)
	}
	t.networks[p] = place
	return nil
}

// Place returns where an address is, or "" if that is not known.
func (t *Table) Place(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	for _, bits := range t.bits {
		p, err := a.Prefix(bits)
		if err != nil {
			continue // longer than the address
		}
		if place, ok := t.networks[p]; ok {
			return place
		}
	}
	return ""
}
