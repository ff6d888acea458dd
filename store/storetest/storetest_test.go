package storetest_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/store/storetest"
)

// bugs are the mistakes that the tiers named beside them must each notice.
var bugs = map[bug]string{
	"keeps milliseconds":                           "basic",
	"keeps nanoseconds":                            "basic",
	"returns local time":                           "basic",
	"zero time becomes 1970":                       "basic",
	"keeps the caller's slice":                     "basic",
	"returns its own slice":                        "basic",
	"drops the profile on update":                  "basic",
	"create overwrites":                            "basic history",
	"create overwrites a tombstone":                "basic history",
	"create answers conflict":                      "basic history",
	"create checks, then writes":                   "concurrent history",
	"missing is a failure":                         "basic",
	"missing is empty":                             "basic history",
	"hides tombstones":                             "basic history",
	"compares half the version":                    "basic",
	"accepts the old version":                      "basic",
	"no compare-and-swap":                          "basic concurrent history",
	"update reads, then writes":                    "concurrent history",
	"update creates":                               "basic",
	"gone is a conflict":                           "basic",
	"conflict is not found":                        "basic history",
	"update over a tombstone":                      "basic history",
	"versions come back":                           "basic concurrent history",
	"stale reads":                                  "concurrent history",
	"works after close":                            "basic",
	"ignores cancellation":                         "basic",
	"list locks while ranging":                     "basic",
	"list errs twice":                              "basic",
	"list swallows errors":                         "basic",
	"list yields one page":                         "basic",
	"list pages by offset":                         "basic",
	"list ignores the tenant":                      "basic",
	"list includes after":                          "basic",
	"list hides tombstones":                        "basic",
	"list is out of order":                         "basic",
	"scan locks while ranging":                     "basic",
	"scan errs twice":                              "basic",
	"scan swallows errors":                         "basic",
	"scan yields one page":                         "basic",
	"scan pages by offset":                         "basic",
	"scan includes after":                          "basic",
	"scan hides tombstones":                        "basic",
	"scan is out of order":                         "basic",
	"scan yields one owner":                        "basic",
	"touch creates":                                "basic",
	"touch reads, then writes":                     "concurrent history",
	"touch stops at the first that does nothing":   "basic",
	"touch changes the batch":                      "basic",
	"touch at the idle deadline":                   "basic",
	"touch of an idle record":                      "basic history",
	"touch ignores the absolute end":               "basic",
	"touch of a tombstone":                         "basic concurrent history",
	"touch of any generation is seen":              "basic",
	"touch of generation 0 is seen":                "basic",
	"touch moves the window again":                 "basic history",
	"touch moves the window back":                  "basic",
	"touch marks seen and keeps the window":        "basic history",
	"every touch is activity":                      "basic history",
	"touch keeps the version":                      "basic concurrent history",
	"touch always changes the version":             "basic history",
	"touch passes the absolute end":                "basic",
	"touch moves last seen back":                   "basic history",
	"touch moves the idle deadline back":           "basic history",
	"erase takes live ones":                        "basic",
	"erase ignores the tenant":                     "basic",
	"erase does nothing":                           "basic",
	"sweep ignores limit":                          "basic",
	"sweep ignores the idle deadline":              "basic",
	"sweep ignores the end":                        "basic",
	"sweep includes the instant":                   "basic",
	"sweep takes tombstones only":                  "basic",
	"sweep leaves items":                           "basic",
	"sweep takes eternal items":                    "basic",
	"sweep ignores limit of items":                 "basic",
	"sweep counts items":                           "basic",
	"item lives at its expiry":                     "basic",
	"items never expire":                           "basic",
	"keeps the caller's value":                     "basic",
	"expired item blocks create":                   "basic",
	"create item checks, then writes":              "concurrent",
	"swap item ignores the version":                "basic concurrent",
	"swap item reads, then writes":                 "concurrent",
	"delete of nothing succeeds":                   "basic concurrent",
	"delete item reads, then deletes":              "concurrent",
	"delete item ignores the version":              "basic",
	"log works after close":                        "basic",
	"log ignores cancellation":                     "basic log",
	"log appends one by one":                       "log",
	"log checks entries as it goes":                "log",
	"log takes bad entries":                        "log",
	"log keeps the caller's slice":                 "log",
	"log delivers its own slice":                   "log",
	"log keeps nanoseconds":                        "log",
	"log returns local time":                       "log",
	"log: zero time becomes 1970":                  "log",
	"log keeps targets as text":                    "log",
	"log drops the exception":                      "log",
	"log gives its places before they are taken":   "log",
	"log has gaps":                                 "log",
	"log delivers twice":                           "log",
	"log sorts by id":                              "log",
	"log puts the newest first":                    "log",
	"log yields one page":                          "log",
	"log takes any cursor":                         "log",
	"log does not say what is wrong with a cursor": "log",
	"log begins anew at any cursor":                "log",
	"log never beats":                              "log",
	"log beats slowly":                             "log",
	"log never ends":                               "log",
	"log ends without an error":                    "log",
	"log errs twice":                               "log",
	"log errs beside a batch":                      "log",
	"log locks while ranging":                      "log",
	"log lies in its marks":                        "log",
	"log marks what is coming":                     "log",
	"log marks every page":                         "log",
	"log rounds its marks":                         "log",
	"log marks go back":                            "log",
	"log marks stand still":                        "log",
	"truncate takes the living":                    "log",
	"truncate takes the oldest":                    "log",
	"truncate includes the instant":                "log",
	"truncate ignores limit":                       "log",
	"truncate takes limit 0 for none":              "log",
	"truncate leaves the past":                     "log",
	"truncate miscounts":                           "log",
	"truncate frees places":                        "log",
	"truncate moves places":                        "log",
	"truncate spares the forgotten":                "log",
	"settled entries live on":                      "log",
	"settled entries live longer":                  "log",
	"settling takes the session's next":            "log",
	"settling takes all":                           "log",
	"settling knows sessions only":                 "log",
	"settling knows the first only":                "log",
	"truncate keeps what settles":                  "log",
	"log forgets at a restart":                     "log",
	"log frees places at a restart":                "log",
	"log moves places at a restart":                "log",
}

func harness(b bug) storetest.Harness {
	return storetest.Harness{
		New: func(testing.TB) store.Store { return newBroken(b) },
		Reopen: func(_ testing.TB, s store.Store) store.Store {
			return s.(*brokenStore).reopened()
		},
		Features: storetest.Features{Items: true, Erase: true, Log: true, Settles: true},
	}
}

// TestCorrectStore shows that the store in which the bugs are planted is
// correct without them.
func TestCorrectStore(t *testing.T) {
	t.Parallel()
	t.Attr("requirement", "ASVS-2.3.3")
	t.Attr("requirement", "ASVS-15.4.2")
	storetest.Run(t, harness(""))
}

func TestBrokenStores(t *testing.T) {
	t.Parallel()
	for b, tiers := range bugs {
		for tier := range strings.FieldsSeq(tiers) {
			t.Run(fmt.Sprintf("%s/%s", tier, b), func(t *testing.T) {
				t.Parallel()
				if failed := firstFailure(t, harness(b), tier); failed == "" {
					t.Errorf("no check of the tier noticed the bug")
				} else {
					t.Log(failed)
				}
			})
		}
	}
}

// firstFailure runs the checks of a tier until one fails, and returns what it
// said. Races of threads may need more than one try to show.
func firstFailure(t *testing.T, h storetest.Harness, tier string) string {
	t.Helper()
	for range 30 {
		for _, c := range storetest.Checks(h) {
			if c.Tier != tier {
				continue
			}
			if r := record(t, c.Run); r.failed {
				return c.Name + ": " + r.text
			}
		}
	}
	return ""
}

// recorder is a test whose failure is noted and does no harm.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed bool
	text   string
}

func record(t *testing.T, run func(tb testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine that it is called in
		defer close(done)
		run(r)
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return &recorder{failed: r.failed, text: r.text}
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.text += text
}

func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Error(args ...any)                 { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) Fail()                             { r.note("failed") }
func (r *recorder) FailNow()                          { r.note("failed"); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
