//go:build !race

package lambda

const slack = 1
