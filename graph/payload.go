package graph

import (
	"errors"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"tocsin/dispatch"
)

// userErrors splits an error into what the caller can correct and what he
// cannot. Paths of the hub are relative to the input.
func userErrors(err error, prefix ...string) ([]dispatch.UserError, error) {
	var refusal *dispatch.Refusal
	if !errors.As(err, &refusal) {
		return []dispatch.UserError{}, err
	}
	out := make([]dispatch.UserError, len(refusal.Problems))
	for i, p := range refusal.Problems {
		path := append([]string{"input"}, prefix...)
		out[i] = dispatch.UserError{Code: p.Code, Message: p.Message, Path: append(path, p.Path...)}
	}
	return out, nil
}

// inAlert is the place of an alert's problems in a list of alerts.
func inAlert(i int) []string { return []string{"alerts", strconv.Itoa(i)} }

// changed is a thing after a mutation: nil when nothing was changed.
func changed[T any](thing T, err error) (*T, []dispatch.UserError, error) {
	problems, fault := userErrors(err)
	if err != nil {
		return nil, problems, fault
	}
	return &thing, problems, nil
}

// maybe tells the hub whether a field was left out.
func maybe[T any](o graphql.Omittable[T]) dispatch.Maybe[T] {
	v, given := o.ValueOK()
	return dispatch.Maybe[T]{Given: given, Value: v}
}
