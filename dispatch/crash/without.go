//go:build !crashpoints

package crash

// Point is a moment that the program passes.
func Point(string) {}

// During is the beginning of a moment that lasts; passed only when it counts.
func During(string, bool) {}
