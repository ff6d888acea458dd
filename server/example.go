// Package server holds the server's example configuration. The server itself is
// under internal, and cmd/remuda runs it.
package server

import _ "embed" // for the example

// ExampleConfig is a commented configuration file. What is commented out in it
// is the default.
//
//go:embed remuda.example.yaml
var ExampleConfig string
