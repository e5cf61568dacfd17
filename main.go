// Tocsin turns security alerts into action; see README.md.
package main

import (
	"os"

	"tocsin/lambda"
	"tocsin/server"
)

func main() {
	lambda.Inside() // workers of the sandbox are this program, too
	os.Exit(server.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
