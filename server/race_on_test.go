//go:build race

package server

// raced tells that the race detector watches, under which SQLite, which is Go
// here, takes a hundred times as long.
const raced = true
