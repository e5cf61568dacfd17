//go:build !race

package inside

const raced = false // the race detector is not in
