package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 8 << 20

// lines reads a file line by line and never holds more than one.
type lines struct {
	in     *bufio.Reader
	held   []byte
	number int   // of the line read last, from 1
	read   int64 // bytes read so far
}

func newLines(in io.Reader) *lines { return &lines{in: bufio.NewReaderSize(in, 64<<10)} }

// next reads a line, without the white space around it; text is valid until
// the next call. A line that is too long is passed over, and has no text. At
// the end it gives io.EOF; a last line needs no line end.
func (l *lines) next() (text []byte, tooLong bool, err error) {
	l.held = l.held[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		l.read += int64(len(part))
		if len(l.held)+len(part) > maxLine+1 {
			tooLong = true
			l.held = l.held[:0]
		}
		if !tooLong {
			l.held = append(l.held, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && (len(l.held) > 0 || tooLong) {
			err = nil
		}
		if err != nil {
			return nil, false, err
		}
		l.number++
		return bytes.TrimSpace(l.held), tooLong, nil
	}
}
