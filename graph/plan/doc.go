// Package plan answers queries by plans that are compiled once for each
// operation. It reads the same resolvers as the generated code, a whole level of
// the answer at a time, and writes the answer in one go.
//
// It knows no noun of the domain and no rule of who may see what: those are the
// facts that it is given. It makes no errors either: what it does not know, and
// whatever goes wrong on the way, it leaves to the generated code, which then
// answers from the beginning. So it is only for operations that change nothing.
package plan
