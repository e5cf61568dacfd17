// Tocsin turns security alerts into action; see README.md.
package main

import (
	"os"

	"tocsin/server"
)

func main() { os.Exit(server.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
