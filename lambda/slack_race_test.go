//go:build race

package lambda

import "time"

const (
	slack = 10               // the race detector makes a program about that much slower
	calm  = 20 * time.Second // a deadline that is not what a test is about
)
