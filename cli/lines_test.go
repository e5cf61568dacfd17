package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readLine is a line as lines gives it.
type readLine struct {
	Number  int
	Text    string
	TooLong bool
}

func readAll(t *testing.T, in io.Reader) []readLine {
	t.Helper()
	l := newLines(in)
	var all []readLine
	for {
		text, tooLong, err := l.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readLine{l.number, string(text), tooLong})
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct {
		name, in string
		want     []readLine
	}{
		{"nothing", "", nil},
		{"one", "a\n", []readLine{{1, "a", false}}},
		{"without an end", "a\nb", []readLine{{1, "a", false}, {2, "b", false}}},
		{"blank lines count", "a\n\n \t\nb\n", []readLine{{1, "a", false}, {2, "", false}, {3, "", false}, {4, "b", false}}},
		{"line ends of DOS", "a\r\nb\r\n", []readLine{{1, "a", false}, {2, "b", false}}},
		{"as long as may be", long + "\nb", []readLine{{1, long, false}, {2, "b", false}}},
		{"too long", "a\n" + long + "yy\nb\n", []readLine{{1, "a", false}, {2, "", true}, {3, "b", false}}},
		{"too long at the end", long + long + long, []readLine{{1, "", true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, readAll(t, strings.NewReader(test.in))); diff != "" {
				t.Errorf("lines (-want +got):\n%.500s", diff)
			}
			if len(test.in) > 1<<20 {
				return // too slow by bytes
			}
			if diff := cmp.Diff(test.want, readAll(t, iotest.OneByteReader(strings.NewReader(test.in)))); diff != "" {
				t.Errorf("lines byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLinesHoldOne: a file without line ends takes no more memory than one line.
func TestLinesHoldOne(t *testing.T) {
	l := newLines(io.LimitReader(endless{}, 100<<20))
	if _, tooLong, err := l.next(); !tooLong || err != nil {
		t.Fatalf("a line of 100 MiB: too long %v, %v", tooLong, err)
	}
	if cap(l.held) > 4*maxLine {
		t.Errorf("%d bytes are held", cap(l.held))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
