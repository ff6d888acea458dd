package keyring_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remuda-go/remuda/codec"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store/memstore"
)

// The installation of the model: nodes whose clocks differ by up to a skew each
// way, and of which each polls at least every few seconds.
const (
	modelSkew    = 2 * time.Second
	modelLag     = 3 * time.Second
	modelSettle  = 10 * time.Second // longer than modelLag + 2*modelSkew
	modelLife    = 60 * time.Second // of what is made
	modelOverlap = modelLife + 2*modelSkew + modelLag
)

// model is an installation, and what must be true of it.
type model struct {
	clock  *clock
	source keyring.Source
	nodes  []*modelNode

	first   map[string]bool // the keys that were active from the beginning
	made    []made
	done    int               // how much has been done: orders what happens at one instant
	killed  map[string]int    // done when a key was compromised or retired by hand
	secrets map[string]string // by key id, as the source had them
}

type modelNode struct {
	ring   *keyring.Ring
	skew   time.Duration
	polled time.Time // true time
	seen   int       // done when it was polled
}

// made is a token, a blob and a CSRF token made at once on one node.
type made struct {
	at         time.Time
	key, root  string
	young      bool // one of the keys took over before it had settled
	mac        [sha256.Size]byte
	blob       []byte
	csrf, text string
}

var modelAlgorithms = []codec.Algorithm{codec.HS256, keyring.Root}

func newModel(t *rapid.T) *model {
	master, err := keyring.NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	m := &model{clock: newClock(), first: map[string]bool{}, killed: map[string]int{}, secrets: map[string]string{}}
	if m.source, err = keyring.StoreSource(memstore.New(), master, m.clock.Now); err != nil {
		t.Fatal(err)
	}
	every := rapid.SampledFrom([]time.Duration{keyring.Never, 30 * time.Second, 2 * time.Minute}).Draw(t, "every")
	for i := range 3 {
		skew := time.Duration(rapid.IntRange(-2, 2).Draw(t, fmt.Sprint("skew ", i))) * time.Second
		r, err := keyring.Open(t.Context(), keyring.Config{
			Source: m.source, Create: true, Overlap: modelOverlap, Settle: modelSettle, Every: every,
			Now: func() time.Time { return m.clock.Now().Add(skew) },
		})
		if err != nil {
			t.Fatal(err)
		}
		m.nodes = append(m.nodes, &modelNode{ring: r, skew: skew, polled: m.clock.Now()})
	}
	for _, info := range m.nodes[0].ring.List() {
		m.first[info.ID] = info.State == keyring.Active
	}
	return m
}

func (m *model) node(t *rapid.T) *modelNode { return rapid.SampledFrom(m.nodes).Draw(t, "node") }

// pass lets time pass, second by second.
func (m *model) pass(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 2, 5, 15, 30}).Draw(t, "seconds") {
		m.clock.add(time.Second)
		for _, n := range m.nodes {
			n.ring.Advance()
			if m.clock.Now().Sub(n.polled) >= modelLag || rapid.Bool().Draw(t, "polls") {
				m.poll(t, n)
			}
		}
		m.checkNodes(t)
	}
}

func (m *model) poll(t *rapid.T, n *modelNode) {
	if err := n.ring.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.saw(n)
}

// saw notes that a node has read the source.
func (m *model) saw(n *modelNode) {
	m.done++
	n.polled, n.seen = m.clock.Now(), m.done
}

func (m *model) rotate(t *rapid.T) {
	n := m.node(t)
	if _, err := n.ring.Rotate(t.Context(), rapid.SampledFrom(modelAlgorithms).Draw(t, "algorithm")); err != nil {
		t.Fatal(err)
	}
	m.saw(n)
}

// kill compromises or retires some key on some node.
func (m *model) kill(t *rapid.T) {
	n := m.node(t)
	info := rapid.SampledFrom(n.ring.List()).Draw(t, "key")
	if rapid.Bool().Draw(t, "only retire") {
		err := n.ring.Retire(t.Context(), info.ID)
		switch {
		case errors.Is(err, keyring.ErrInUse), errors.Is(err, keyring.ErrUnknownKey):
			return
		case err != nil:
			t.Fatal(err)
		}
	} else if err := n.ring.Compromise(t.Context(), info.ID); err != nil && !errors.Is(err, keyring.ErrUnknownKey) {
		t.Fatal(err) // unknown: dead for so long that another node has forgotten it
	}
	m.saw(n)
	if _, dead := m.killed[info.ID]; !dead {
		m.killed[info.ID] = m.done
	}
}

// make makes something of each kind on some node.
func (m *model) make(t *rapid.T) {
	n := m.node(t)
	out := made{at: m.clock.Now(), text: fmt.Sprint("text ", m.done)}
	for _, info := range n.ring.List() {
		if info.State != keyring.Active {
			continue
		}
		out.young = out.young || info.Activates.Sub(info.Created) < modelSettle && !m.first[info.ID]
		if info.Algorithm == keyring.Root {
			out.root = info.ID
		} else {
			out.key = info.ID
		}
	}
	for _, k := range n.ring.KeySet().Keys {
		if k.Sign && k.Algorithm == codec.HS256 {
			if k.ID != out.key {
				t.Fatalf("%s signs, and %s is active", k.ID, out.key)
			}
			out.mac = hmacOf(k.Secret, out.text)
		}
	}
	var err error
	if out.blob, err = n.ring.Seal(nil, []byte(out.text), "session", session); err != nil {
		t.Fatal(err)
	}
	if out.csrf, err = n.ring.NewCSRF(session); err != nil {
		t.Fatal(err)
	}
	m.made = append(m.made[max(0, len(m.made)-4):], out)
}

func hmacOf(key []byte, text string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

// accepted reports what a node accepts of what was made.
func (n *modelNode) accepted(x *made) (token, sealed bool) {
	for _, k := range n.ring.KeySet().Keys {
		if k.ID == x.key && k.Algorithm == codec.HS256 {
			token = hmacOf(k.Secret, x.text) == x.mac
		}
	}
	text, err := n.ring.Open(nil, x.blob, "session", session)
	return token, err == nil && string(text) == x.text && n.ring.CheckCSRF(session, x.csrf)
}

// check is what is true at every instant.
func (m *model) check(t *rapid.T) {
	m.checkNodes(t)
	m.checkErased(t)
}

func (m *model) checkNodes(t *rapid.T) {
	for _, n := range m.nodes {
		m.checkActive(t, n)
		for i := range m.made {
			m.checkMade(t, n, &m.made[i])
		}
	}
}

// checkActive: at each instant one key of an algorithm is active, and it signs.
func (m *model) checkActive(t *rapid.T, n *modelNode) {
	active := map[codec.Algorithm]string{}
	for _, info := range n.ring.List() {
		if info.State == keyring.Active {
			if active[info.Algorithm] != "" {
				t.Fatalf("two keys of %s are active", info.Algorithm)
			}
			active[info.Algorithm] = info.ID
		}
	}
	signing := map[codec.Algorithm]string{}
	for _, k := range n.ring.KeySet().Keys {
		if k.Sign {
			if signing[k.Algorithm] != "" {
				t.Fatalf("two keys of %s sign", k.Algorithm)
			}
			signing[k.Algorithm] = k.ID
		}
	}
	if len(active) != 2 || active[codec.HS256] == "" || active[keyring.Root] == "" || len(signing) != 2 {
		t.Fatalf("active: %v, signing: %v", active, signing)
	}
}

// checkMade: what lives is accepted by every node at once, and what was made with
// a dead key by none that has heard of it.
func (m *model) checkMade(t *rapid.T, n *modelNode, x *made) {
	now := m.clock.Now()
	token, sealed := n.accepted(x)
	for id, got := range map[string]bool{x.key: token, x.root: sealed} {
		killed, dead := m.killed[id]
		switch {
		case dead:
			if got && n.seen >= killed {
				t.Fatalf("what the dead key %s made is accepted", id)
			}
		case x.young && n.polled.Before(x.at.Add(modelLag)):
			// Its key took over in an emergency, and this node may not know it yet.
		case now.Sub(x.at) < modelLife && !got:
			t.Fatalf("what the key %s made %v ago is refused", id, now.Sub(x.at))
		}
	}
}

// checkErased: the secrets of dead keys are nowhere, once somebody has been there.
func (m *model) checkErased(t *rapid.T) {
	text, _, err := m.source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone := maps.Clone(m.killed)
	for _, info := range m.nodes[0].ring.List() {
		if secret, ok := trySecretOf(string(text), info.ID); ok {
			m.secrets[info.ID] = secret
		}
		if !info.Expires.IsZero() && info.Expires.Add(2*modelSkew+modelLag).Before(m.clock.Now()) {
			gone[info.ID] = 0
		}
	}
	absent := func(text string, seen int) {
		for id, done := range gone {
			if secret := m.secrets[id]; seen >= done && secret != "" && strings.Contains(text, secret) {
				t.Fatalf("the secret of the dead key %s is there", id)
			}
		}
	}
	absent(string(text), m.done)
	for _, n := range m.nodes {
		mine, err := n.ring.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		absent(string(mine), n.seen)
	}
}

func trySecretOf(text, id string) (string, bool) {
	_, rest, ok := strings.Cut(text, `"id": "`+id+`"`)
	rest, _, _ = strings.Cut(rest, "}")
	_, rest, ok2 := strings.Cut(rest, `"secret": "`)
	secret, _, _ := strings.Cut(rest, `"`)
	return secret, ok && ok2
}

// TestModel plays random rotations and compromises on nodes whose clocks differ.
func TestModel(t *testing.T) {
	t.Parallel()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		if runs++; raceEnabled && runs > 5 {
			return // it is one goroutine, and slow
		}
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"pass":   m.pass,
			"rotate": m.rotate,
			"kill":   m.kill,
			"make":   m.make,
			"":       m.check,
		})
	})
}
