package directory

import "context"

// OpenDangerouslyCheap opens a directory whose new hashes cost next to nothing.
func OpenDangerouslyCheap(ctx context.Context, path string) (*Directory, error) {
	return open(ctx, path, params{memory: 64, passes: 1, threads: 1})
}

// Argon2Runs is how many hashes have been computed so far.
func (d *Directory) Argon2Runs() int64 { return d.hasher.runs.Load() }

// Slots is how many hashes may be computed at once.
func (d *Directory) Slots() int { return cap(d.hasher.slots) }

// Occupy takes a slot as a hash would, until release is called.
func (d *Directory) Occupy() (release func()) {
	d.hasher.slots <- struct{}{}
	return func() { <-d.hasher.slots }
}

// Exec runs SQL.
func (d *Directory) Exec(ctx context.Context, query string, args ...any) error {
	_, err := d.db.ExecContext(ctx, query, args...)
	return err
}

// Ask reads one value.
func (d *Directory) Ask(ctx context.Context, query string, args ...any) (text string, err error) {
	err = d.db.QueryRowContext(ctx, query, args...).Scan(&text)
	return text, err
}

// ParsePHC reports whether a stored hash is accepted.
func ParsePHC(s string) (again string, err error) {
	p, err := parsePHC(s)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}
