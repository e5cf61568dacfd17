package inside

import (
	"fmt"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
	lru "github.com/hashicorp/golang-lru/v2"
	"modernc.org/quickjs"

	"tocsin/lambda/internal/wire"
)

const (
	keptPrograms = 64
	maxSource    = 64 << 10 // bytes
	// moduleName is the global that holds what a lambda exports.
	moduleName = "lambda"
	// pushedDown is the number of lines before a lambda's code. Frames of a stack
	// above it are the prelude's: both have the same file name.
	pushedDown = 1_000
)

// program is a compiled lambda. Bytecode is of this process only: it changes
// with the release of the engine.
type program struct {
	code   []byte
	places *sourcemap.Consumer
}

// compiler turns sources into programs and keeps the latest.
type compiler struct {
	programs *lru.Cache[string, *program]
}

func newCompiler() (*compiler, error) {
	programs, err := lru.New[string, *program](keptPrograms)
	if err != nil {
		return nil, fmt.Errorf("make the cache of lambdas: %w", err)
	}
	return &compiler{programs}, nil
}

// compile makes a program of a source, in a machine that is thrown away after.
func (c *compiler) compile(vm *quickjs.VM, source string) (*program, *wire.Fault) {
	if p, ok := c.programs.Get(source); ok {
		return p, nil
	}
	if len(source) > maxSource {
		return nil, wire.Faultf("the source has %d bytes; a lambda has at most %d KiB", len(source), maxSource>>10)
	}
	script, places, fault := transform(source)
	if fault != nil {
		return nil, fault
	}
	code, err := vm.Compile(`"use strict";`+strings.Repeat("\n", pushedDown)+script+"\n"+moduleName+";", quickjs.EvalGlobal)
	if err != nil {
		return nil, engineFault(err, &program{places: places})
	}
	p := &program{code: code, places: places}
	c.programs.Add(source, p)
	return p, nil
}

// transform strips the types off and makes a script of the module.
func transform(source string) (string, *sourcemap.Consumer, *wire.Fault) {
	out := api.Transform(source, api.TransformOptions{
		Loader: api.LoaderTS, Format: api.FormatIIFE, GlobalName: moduleName, Target: api.ES2023, Charset: api.CharsetUTF8,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude, Sourcefile: "lambda.ts",
		LogLevel: api.LogLevelSilent, LogLimit: 1,
	})
	if len(out.Errors) > 0 {
		m := out.Errors[0]
		fault := wire.Faultf("%s", lowerFirst(m.Text))
		if m.Location != nil {
			fault = fault.At(m.Location.Line, characters(source, m.Location.Line, m.Location.Column))
		}
		return "", nil, fault
	}
	places, err := sourcemap.Parse("", out.Map)
	if err != nil {
		places = nil // of a source without code there are none
	}
	return string(out.Code), places, nil
}

// characters counts a column in characters where esbuild counts bytes.
func characters(source string, line, column int) int {
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) {
		return column
	}
	text := lines[line-1]
	return len([]rune(text[:min(column, len(text))]))
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
