package limit

import (
	"net/netip"
	"strings"

	"github.com/remuda-go/remuda/internal/mac"
	"github.com/remuda-go/remuda/web"
)

// key stands for an account, an address or both. It is keyed anew in each
// process: it is of a fixed size, nobody can choose two that collide, and a
// password typed into the field for the name does not stay in memory.
type key [mac.Size]byte

// fold is the default of Config.Fold. To upper case first, since some letters
// have several lower-case forms.
func fold(username string) string {
	return strings.ToLower(strings.ToUpper(strings.TrimSpace(username)))
}

// accountKey stands for the account. Name and subject share one space: where
// they are the same, step-up is no second budget.
func (a *Authenticator) accountKey(c web.Credentials) key {
	name := c.Username
	if name == "" {
		name = c.Subject
	}
	if c.Tenant != "" { // another one's user of the same name is another account
		return a.mac.SumString("account of\x00" + c.Tenant + "\x00" + a.cfg.Fold(name))
	}
	return a.mac.SumString("account\x00" + a.cfg.Fold(name))
}

func (a *Authenticator) addressKey(address netip.Addr) key {
	return a.mac.SumString("address\x00" + network(address).String())
}

func (a *Authenticator) pairKey(account, address key) key {
	return a.mac.SumString("pair\x00" + string(account[:]) + string(address[:]))
}

// network is what counts as one client: what is commonly given to one customer
// and costs nothing to change within.
func network(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := 64
	if address.Is4() {
		bits = 32
	}
	p, err := address.Prefix(bits) // without the zone
	if err != nil {
		return netip.Prefix{} // unknown
	}
	return p
}
