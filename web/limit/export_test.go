package limit

// Buckets is how many are kept, after what is too many has gone.
func (a *Authenticator) Buckets() (n int) {
	for _, c := range []interface {
		CleanUp()
		EstimatedSize() int
	}{a.addresses, a.accounts, a.pairs} {
		c.CleanUp()
		n += c.EstimatedSize()
	}
	return n
}
