package server

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/alecthomas/kong"
)

// flagFile is a JSON object of flags by their names, such as
// {"public-url": "https://tocsin.example.com"}. A name that no command has is
// refused: it is a slip that nobody would notice else.
type flagFile map[string]any

func readFlags(r io.Reader) (kong.Resolver, error) {
	var f flagFile
	if err := json.NewDecoder(r).Decode(&f); err != nil {
		return nil, fmt.Errorf("is not a JSON object of flags by name: %w", err)
	}
	return f, nil
}

// Resolve is the value of a flag; nil when the file does not name it.
func (f flagFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	return f[flag.Name], nil
}

// Validate refuses names that are no flags.
func (f flagFile) Validate(app *kong.Application) error {
	left := maps.Clone(f)
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			delete(left, flag.Name)
		}
		return next(nil)
	})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("--config: %q is not a flag of any command; see --help", slices.Sorted(maps.Keys(left))[0])
	}
	return err
}
