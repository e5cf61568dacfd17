package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// entry is one line of the input: an alert, or why it is none.
type entry struct {
	line    int
	read    int64  // bytes of the input up to its end
	alert   []byte // encoded; nil with a problem, or when the line raises nothing
	problem string // what is wrong with the line
	failed  error  // the input could not be read on; the last entry
}

// reader turns an input into entries.
type reader struct {
	in     io.ReadCloser
	lines  *lines
	keys   keys
	format format
}

func newReader(in io.ReadCloser, file string, f format) *reader {
	return &reader{in: in, lines: newLines(in), keys: keys{file: file}, format: f}
}

// run hands on every line that is not blank, then closes the channel and the
// input. It ends early when ctx does.
func (r *reader) run(ctx context.Context, out chan<- entry) {
	defer close(out)
	defer r.in.Close()
	for {
		e, err := r.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			e.failed = fmt.Errorf("read line %d: %w", r.lines.number+1, err)
		}
		select {
		case out <- e:
		case <-ctx.Done():
			return
		}
		if e.failed != nil {
			return
		}
	}
}

func (r *reader) next() (entry, error) {
	for {
		text, tooLong, err := r.lines.next()
		if err != nil {
			return entry{}, err
		}
		if len(text) == 0 && !tooLong {
			continue
		}
		e := entry{line: r.lines.number, read: r.lines.read}
		switch {
		case tooLong:
			err = fmt.Errorf("is longer than %d MiB; shorten it", maxLine>>20)
		case !utf8.Valid(text):
			err = errors.New("is not valid UTF-8; encode it as UTF-8")
		default:
			e.alert, err = r.convert(text)
		}
		if err != nil {
			e.problem = err.Error()
		}
		return e, nil
	}
}

func (r *reader) convert(text []byte) ([]byte, error) {
	var value json.RawMessage
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("is not JSON: %w; give one JSON object a line", err)
	}
	return r.format(text, r.keys.key(r.lines.number, text))
}
