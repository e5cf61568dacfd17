//go:build race

package lambda

const slack = 10 // the race detector makes a program about that much slower
