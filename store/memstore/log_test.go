package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/memstore"
)

// TestFollowInABubble measures the log by a clock that stands still while
// anybody works: an append is delivered at once, and a quiet log beats.
func TestFollowInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		last, n := time.Now(), 0
		for b, err := range s.Follow(t.Context(), "", time.Now) {
			if err != nil {
				t.Fatal(err)
			}
			if pause := time.Since(last); pause > store.Heartbeat {
				t.Fatalf("nothing was heard for %v", pause)
			}
			if !b.AsOf.Equal(time.Now()) {
				t.Fatalf("the mark is %v old", time.Since(b.AsOf))
			}
			last = time.Now()
			if n++; n < 5 {
				continue
			}
			if n == 5 {
				go func() {
					time.Sleep(time.Millisecond)
					if err := s.Append(t.Context(), store.Entry{Scope: store.ScopeEverything, At: time.Now()}); err != nil {
						t.Error(err)
					}
				}()
				continue
			}
			if len(b.Entries) != 1 || !b.Entries[0].At.Equal(time.Now()) {
				t.Fatalf("after the append the follower got %+v", b)
			}
			return
		}
	})
}

func TestCursorOfAnotherLog(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	for range 2 {
		if err := s.Append(t.Context(), store.Entry{Scope: store.ScopeEverything}); err != nil {
			t.Fatal(err)
		}
	}
	for cursor, good := range map[store.Cursor]bool{"": true, "0": true, "2": true, "3": false, "01": false, "+1": false, "-1": false} {
		for _, err := range s.Follow(t.Context(), cursor, time.Now) {
			if (err == nil) != good {
				t.Errorf("Follow from %q: %v", cursor, err)
			}
			break
		}
	}
}
