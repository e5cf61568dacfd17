//go:build race

package inside

const raced = true // the race detector is in
