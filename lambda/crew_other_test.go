//go:build !linux

package lambda

const parent = "" // there is no such test here

func beParent() {}
