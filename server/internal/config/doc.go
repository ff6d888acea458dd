// Package config makes one [Config] of defaults, a YAML file, the environment
// and flags, each before the next.
//
// Everything that is wrong is reported at once, as an [Error] that names each
// setting and where its value comes from: file, line and column, variable or
// flag. What is not known is an error too. The package opens nothing but the
// file.
package config
