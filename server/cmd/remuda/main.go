// Remuda is a server for sessions: it signs users in, hands their clients fresh
// tokens, and takes them back.
package main

import (
	"os"

	"github.com/remuda-go/remuda/server/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
