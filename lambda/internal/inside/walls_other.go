//go:build !linux

package inside

// wallIn has no walls to put up here: what stands is that the engine offers no
// file, network or process, the limits of the engine, and the kill from outside.
func wallIn(int64) error { return nil }
