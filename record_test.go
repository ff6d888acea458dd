package remuda

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// textsAt is where the first text's length stands in a body.
const textsAt = bodyFixed

func sampleRecords() map[string]record {
	usual := record{
		StartedAt: time.UnixMicro(1764000000123456).UTC(), AuthenticatedAt: time.UnixMicro(1764000001000000).UTC(),
		Remember: true, ACR: "2", AMR: `["pwd"]`, Claims: `{"name":"Alice"}`, Device: "Firefox on Linux", Network: "192.0.2.0/24", Application: "shop/1",
		AddressHash: mark{1, 2, 3}, Parent: SessionID{8, 9}, WithParent: true,
		LoginAt: time.UnixMicro(1763999999000000).UTC(),
		Place:   "Lisbon",
		Actor:   actor{subject: "op", tenant: "desk", started: time.UnixMicro(1763999000000000).UTC()}, Acting: SessionID{5},
		state: state{Seed: seed{4, 5}, Replays: 300, Behind: 3, Streak: 4, Retry: mark{6}, Hint: mark{7}, GenAt: time.UnixMicro(1764000002000001).UTC(), AccessExpires: time.UnixMicro(1764000600000000).UTC()},
	}
	ones := record{
		StartedAt: time.UnixMicro(math.MaxInt64).UTC(), AuthenticatedAt: time.UnixMicro(math.MinInt64).UTC(), Remember: true,
		LoginAt: time.UnixMicro(math.MaxInt64).UTC(), ACR: strings.Repeat("a", 255), Claims: strings.Repeat("c", 64<<10), Device: "\x00\xff",
		state: state{Replays: math.MaxUint16, Streak: math.MaxUint8, KeyOff: true, Recovered: true, GenAt: time.UnixMicro(-1).UTC()},
	}
	for i := range ones.Seed {
		ones.Seed[i] = 0xff
	}
	return map[string]record{"usual": usual, "zero": {}, "ones": ones}
}

func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	for name, want := range sampleRecords() {
		var got record
		if err := got.openBody(want.body()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, want)
		}
	}
}

// TestBodyOfBefore: bodies without an actor and a place, without the time of the login, without a parent, and
// without the name of an application, are read.
func TestBodyOfBefore(t *testing.T) {
	t.Parallel()
	want := sampleRecords()["usual"]
	want.Actor, want.Acting, want.Place = actor{}, SessionID{}, ""
	old := want.body()
	old[0], old = 4, old[:len(old)-8]
	var got record
	if err := got.openBody(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.LoginAt = want.StartedAt
	old = want.body()
	old[0], old = 3, old[:len(old)-8-8]
	got = record{}
	if err := got.openBody(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.Parent, want.WithParent = SessionID{}, false
	old = want.body()
	old[0], old = 2, old[:len(old)-8-12]
	got = record{}
	if err := got.openBody(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.Application = ""
	old = want.body()
	old[0], old = 1, old[:len(old)-8-16]
	got = record{}
	if err := got.openBody(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// TestBodyFlags: each flag is a bit of its own.
func TestBodyFlags(t *testing.T) {
	t.Parallel()
	for _, want := range []record{{state: state{KeyOff: true}}, {state: state{Recovered: true}}, {Remember: true}, {WithParent: true}, {HasChildren: true}} {
		var got record
		if err := got.openBody(want.body()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestOpenBodyRefuses(t *testing.T) {
	t.Parallel()
	r := sampleRecords()["usual"]
	r.Actor, r.Acting, r.Place = actor{}, SessionID{}, ""
	body := r.body()
	refuse := func(what string, b []byte) {
		t.Helper()
		var got record
		if got.openBody(b) == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	for n := range body {
		refuse("truncated", body[:n])
	}
	refuse("prolonged", append(bytes.Clone(body), 0))
	for _, version := range []byte{0, 3, 4, 6, 255} {
		changed := bytes.Clone(body)
		changed[0] = version
		refuse("another version", changed)
	}
	refuse("a parent of 16 zero bytes", append(append(bytes.Clone(body[:len(body)-36]), 0, 0, 0, 16), make([]byte, 32)...))
	refuse("half a parent", append(append(bytes.Clone(body[:len(body)-36]), 0, 0, 0, 8), body[len(body)-24:]...))
	// Each bit of each length.
	at := textsAt
	for range 7 {
		for bit := range 32 {
			changed := bytes.Clone(body)
			n := binary.BigEndian.Uint32(changed[at:])
			binary.BigEndian.PutUint32(changed[at:], n^1<<bit)
			var got record
			if got.openBody(changed) == nil && bytes.Equal(got.body(), body) {
				t.Errorf("length at %d with bit %d flipped: not noticed", at, bit)
			}
		}
		at += 4 + int(binary.BigEndian.Uint32(body[at:]))
	}
	if at += 8 + 8; at != len(body) {
		t.Errorf("the texts end at %d of %d", at, len(body))
	}
}

// FuzzOpenBody: what opens is written again to the same bytes, but for flags
// that are not known.
func FuzzOpenBody(f *testing.F) {
	for _, r := range sampleRecords() {
		if body := r.body(); len(body) < 1<<10 {
			f.Add(body)
			f.Add(body[:len(body)-1])
			r.Actor, r.Acting, r.Place = actor{}, SessionID{}, ""
			old := r.body()
			old[0] = 3
			f.Add(old[:len(old)-8-8])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record
		if r.openBody(b) != nil {
			return
		}
		want := bytes.Clone(b)
		for ; want[0] < 3; want[0]++ { // each of the first versions added a text
			want = append(want, 0, 0, 0, 0)
		}
		if want[0] == 3 { // and the fourth the login, which was when the session began
			want[0] = 4
			want = append(want, want[bodyFixed-16:bodyFixed-8]...)
		}
		if want[0] == 4 { // the fifth the place, and who acts for whom
			want[0] = 5
			want = append(want, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		want[1] &= flagsKnown
		if !bytes.Equal(r.body(), want) {
			t.Errorf("read from %x, written as %x", want, r.body())
		}
	})
}
