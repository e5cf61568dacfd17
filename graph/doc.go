// Package graph is the front door: the public contract of schema.graphql over
// HTTP, server-sent events and WebSocket. Its resolvers ask the hub, one line
// each; what it decides itself is who may see what, how much one request may
// ask for, and how an error is told. It holds no rule of the domain, writes
// nothing, and knows no database and no vendor.
package graph

//go:generate go tool -modfile=../tools/go.mod gqlgen generate
