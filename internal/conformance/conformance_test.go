package conformance_test

import (
	"os"
	"testing"

	"github.com/remuda-go/remuda/internal/conformance"
)

// TestDocument: every requirement is proved by a test or open for a reason, and the
// document says so.
func TestDocument(t *testing.T) {
	t.Parallel()
	want, err := conformance.Document("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/conformance.md is not what the tests say: run make conformance")
	}
}
