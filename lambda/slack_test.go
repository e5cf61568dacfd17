//go:build !race

package lambda

import "time"

const (
	slack = 1
	calm  = 2 * time.Second // a deadline that is not what a test is about
)
