// Command write makes docs/conformance.md. Run it by make conformance.
package main

import (
	"fmt"
	"os"

	"github.com/remuda-go/remuda/internal/conformance"
)

func main() {
	text, err := conformance.Document(".")
	if err == nil {
		err = os.WriteFile("docs/conformance.md", []byte(text), 0o644) //nolint:gosec // a document for everybody
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
