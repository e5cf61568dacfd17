package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// tally counts what became of the lines.
type tally struct {
	file                                  string // as the user named it
	accepted, repeated, rejected, skipped int
	rejectedLines                         []int // the first of them
}

// maxNamed is how many rejected lines the summary names; standard error has all.
const maxNamed = 20

func (t *tally) reject(line int) {
	t.rejected++
	if len(t.rejectedLines) < maxNamed {
		t.rejectedLines = append(t.rejectedLines, line)
	}
}

// taken is how many alerts the server has, from this run or from one before.
func (t *tally) taken() int { return t.accepted + t.repeated }

// summary is one line with all counts. What is accepted was new.
func (t *tally) summary() string {
	text := fmt.Sprintf("accepted %d, repeated %d, rejected %d", t.accepted, t.repeated, t.rejected)
	if t.rejected > 0 {
		numbers := make([]string, len(t.rejectedLines))
		for i, line := range t.rejectedLines {
			numbers[i] = strconv.Itoa(line)
		}
		text += " (line " + strings.Join(numbers, ", ")
		if more := t.rejected - len(numbers); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		text += ")"
	}
	return text + fmt.Sprintf(", skipped %d", t.skipped)
}

// progress draws one line that is drawn over. It draws nothing unless on.
type progress struct {
	out   io.Writer
	on    bool
	total int64 // bytes of the input; 0 when they are not known
	drawn bool
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

const barWidth = 30

// show draws how far the input is sent. A terminal that cannot be written to
// is no reason to stop.
func (p *progress) show(read int64, t tally) {
	if !p.on {
		return
	}
	bar := ""
	if p.total > 0 {
		read = min(read, p.total) // the file may have grown
		done := int(barWidth * read / p.total)
		bar = fmt.Sprintf("[%s%s] %3d%%  ", strings.Repeat("=", done), strings.Repeat(" ", barWidth-done), 100*read/p.total)
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s%d alerts taken, %d lines rejected", bar, t.taken(), t.rejected)
	p.drawn = true
}

// clear takes the line away, so that something else can be printed.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
