package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/remuda-go/remuda/store"
)

// itemChecks covers Items.
func itemChecks() []check {
	return []check{
		{"item_create_then_get", itemCreate},
		{"item_create_refuses_a_taken_key", itemTaken},
		{"item_get_of_a_missing_one", itemMissing},
		{"item_kinds_and_keys_are_apart", itemKeys},
		{"item_without_expiry_never_expires", itemForever},
		{"item_is_absent_from_its_expiry_on", itemExpiry},
		{"item_create_takes_the_place_of_an_expired_one", itemRecreate},
		{"item_swap", itemSwap},
		{"item_swap_with_another_version", itemSwapStale},
		{"item_swap_must_bring_a_new_version", itemSwapSame},
		{"item_delete", itemDelete},
		{"item_delete_with_another_version", itemDeleteStale},
		{"item_copies_in_and_out", itemCopies},
		{"item_largest_and_smallest", itemSizes},
		{"sweep_removes_expired_items_only", itemSweep},
		{"sweep_removes_at_most_limit_items", itemSweepLimit},
	}
}

const kind = "nonce"

func newItem() store.Item {
	return store.Item{Value: []byte("value \x00\xff"), Expires: at(100), Version: newVersion()}
}

func nextItem(it store.Item) store.Item {
	it.Version, it.Value = newVersion(), []byte("next")
	return it
}

func (e *env) createItem(key string, it store.Item) store.Item {
	e.Helper()
	if err := e.items().CreateItem(e.Context(), kind, key, it, at(0)); err != nil {
		e.Fatalf("CreateItem: %v", err)
	}
	return it
}

func (e *env) holdsItem(key string, want store.Item) {
	e.Helper()
	got, err := e.items().GetItem(e.Context(), kind, key, at(0))
	if err != nil {
		e.Fatalf("GetItem: %v", err)
	}
	if d := diffItems(want, got); d != "" {
		e.Fatalf("the item in the store differs:\n%s", d)
	}
}

func (e *env) noItem(kind, key string, now time.Time) {
	e.Helper()
	it, err := e.items().GetItem(e.Context(), kind, key, now)
	e.want(err, store.ErrNotFound, "GetItem")
	if d := diffItems(store.Item{}, it); d != "" {
		e.Errorf("GetItem of a missing item returned one beside the error:\n%s", d)
	}
}

func itemCreate(e *env) { e.holdsItem("k", e.createItem("k", newItem())) }

func itemTaken(e *env) {
	it := e.createItem("k", newItem())
	e.want(e.items().CreateItem(e.Context(), kind, "k", newItem(), at(99)), store.ErrExists, "CreateItem")
	e.holdsItem("k", it)
}

func itemMissing(e *env) {
	e.noItem(kind, "k", at(0))
	e.want(e.items().SwapItem(e.Context(), kind, "k", newItem(), newVersion(), at(0)), store.ErrNotFound, "SwapItem")
	e.want(e.items().DeleteItem(e.Context(), kind, "k", newVersion(), at(0)), store.ErrNotFound, "DeleteItem")
	e.noItem(kind, "k", at(0))
}

func itemKeys(e *env) {
	it := e.createItem("k", newItem())
	for _, k := range [][2]string{{kind, "K"}, {kind, "k "}, {kind, ""}, {"", "k"}, {"Nonce", "k"}, {"k", kind}, {"nonc", "ek"}} {
		e.noItem(k[0], k[1], at(0))
	}
	other := nextItem(it)
	if err := e.items().CreateItem(e.Context(), "other", "k", other, at(0)); err != nil {
		e.Fatalf("CreateItem of the same key in another kind: %v", err)
	}
	e.holdsItem("k", it)
}

func itemForever(e *env) {
	it := newItem()
	it.Expires = time.Time{}
	e.createItem("k", it)
	got, err := e.items().GetItem(e.Context(), kind, "k", at(0).AddDate(500, 0, 0))
	if err != nil {
		e.Fatalf("GetItem: %v", err)
	}
	if d := diffItems(it, got); d != "" {
		e.Fatalf("the item differs:\n%s", d)
	}
}

func itemExpiry(e *env) {
	it := e.createItem("k", newItem())
	if _, err := e.items().GetItem(e.Context(), kind, "k", it.Expires.Add(-tick)); err != nil {
		e.Fatalf("GetItem an instant before the expiry: %v", err)
	}
	for _, now := range []time.Time{it.Expires, it.Expires.Add(tick)} {
		e.noItem(kind, "k", now)
		e.want(e.items().SwapItem(e.Context(), kind, "k", nextItem(it), it.Version, now), store.ErrNotFound, "SwapItem")
		e.want(e.items().DeleteItem(e.Context(), kind, "k", it.Version, now), store.ErrNotFound, "DeleteItem")
	}
	e.holdsItem("k", it)
}

func itemRecreate(e *env) {
	it := e.createItem("k", newItem())
	again := nextItem(it)
	again.Expires = at(200)
	e.want(e.items().CreateItem(e.Context(), kind, "k", again, it.Expires.Add(-tick)), store.ErrExists, "CreateItem")
	if err := e.items().CreateItem(e.Context(), kind, "k", again, it.Expires); err != nil {
		e.Fatalf("CreateItem at the expiry of the old one: %v", err)
	}
	e.holdsItem("k", again)
}

func itemSwap(e *env) {
	it := e.createItem("k", newItem())
	swapped := nextItem(it)
	swapped.Expires = time.Time{}
	if err := e.items().SwapItem(e.Context(), kind, "k", swapped, it.Version, at(99)); err != nil {
		e.Fatalf("SwapItem: %v", err)
	}
	e.holdsItem("k", swapped)
}

func itemSwapStale(e *env) {
	it := e.createItem("k", newItem())
	almost := it.Version
	almost[15] ^= 1
	for _, was := range []store.Version{newVersion(), {}, almost} {
		e.want(e.items().SwapItem(e.Context(), kind, "k", nextItem(it), was, at(0)), store.ErrConflict, "SwapItem")
	}
	e.holdsItem("k", it)
}

func itemSwapSame(e *env) {
	it := e.createItem("k", newItem())
	same := it
	same.Value = []byte("changed")
	e.wantFailure(e.items().SwapItem(e.Context(), kind, "k", same, it.Version, at(0)), "SwapItem to the version that it replaces")
	e.holdsItem("k", it)
}

func itemDelete(e *env) {
	it, other := e.createItem("k", newItem()), e.createItem("other", newItem())
	if err := e.items().DeleteItem(e.Context(), kind, "k", it.Version, at(99)); err != nil {
		e.Fatalf("DeleteItem: %v", err)
	}
	e.noItem(kind, "k", at(0))
	e.want(e.items().DeleteItem(e.Context(), kind, "k", it.Version, at(0)), store.ErrNotFound, "DeleteItem")
	e.holdsItem("other", other)
	e.createItem("k", nextItem(it))
}

func itemDeleteStale(e *env) {
	it := e.createItem("k", newItem())
	e.want(e.items().DeleteItem(e.Context(), kind, "k", newVersion(), at(0)), store.ErrConflict, "DeleteItem")
	e.want(e.items().DeleteItem(e.Context(), kind, "k", store.Version{}, at(0)), store.ErrConflict, "DeleteItem")
	e.holdsItem("k", it)
}

func itemCopies(e *env) {
	it := newItem()
	given := it
	given.Value = bytes.Clone(it.Value)
	e.createItem("k", given)
	given.Value[0] ^= 1
	e.holdsItem("k", it)
	got, err := e.items().GetItem(e.Context(), kind, "k", at(0))
	if err != nil {
		e.Fatalf("GetItem: %v", err)
	}
	got.Value[0] ^= 1
	e.holdsItem("k", it)
	swapped := nextItem(it)
	given = swapped
	given.Value = bytes.Clone(swapped.Value)
	if err := e.items().SwapItem(e.Context(), kind, "k", given, it.Version, at(0)); err != nil {
		e.Fatalf("SwapItem: %v", err)
	}
	given.Value[0] ^= 1
	e.holdsItem("k", swapped)
}

func itemSizes(e *env) {
	large := newItem()
	large.Value = bytes.Repeat([]byte{0xff, 0}, 1<<15)
	key := strings.Repeat("k", 255)
	e.holdsItem(key, e.createItem(key, large))
	empty := newItem()
	empty.Value = nil
	e.holdsItem("", e.createItem("", empty))
	if err := e.items().CreateItem(e.Context(), strings.Repeat("é", 127), "k", large, at(0)); err != nil {
		e.Fatalf("CreateItem of a long kind: %v", err)
	}
}

func itemSweep(e *env) {
	it := e.createItem("k", newItem())
	forever := newItem()
	forever.Expires = time.Time{}
	e.createItem("forever", forever)
	r := e.created()
	if n := e.sweep(it.Expires, 10); n != 0 {
		e.Fatalf("Sweep counted %d records", n)
	}
	e.holdsItem("k", it)
	if n := e.sweep(it.Expires.Add(tick), 10); n != 0 {
		e.Fatalf("Sweep counted %d, want 0: items do not count", n)
	}
	e.noItem(kind, "k", at(0)) // at an instant at which it had not expired
	e.holdsItem("forever", forever)
	e.holds(r)
}

func itemSweepLimit(e *env) {
	keys := strings.Split("a b c d e f g", " ")
	for _, k := range keys {
		e.createItem(k, newItem())
	}
	left := func() (n int) {
		for _, k := range keys {
			if _, err := e.items().GetItem(e.Context(), kind, k, at(0)); err == nil {
				n++
			}
		}
		return n
	}
	for _, want := range []int{4, 1, 0, 0} {
		e.sweep(at(101), 3)
		if n := left(); n != want {
			e.Fatalf("%d items are left, want %d", n, want)
		}
	}
}
