// Package wire is what a crew and its workers say to each other: a job, then
// its answer, each one frame of JSON behind its length. It knows nothing of how
// either is made.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Limits are those that a worker holds its jobs to. The crew holds the worker
// to them from outside.
type Limits struct {
	Deadline time.Duration `json:"deadline"`
	Memory   int64         `json:"memory"` // bytes
	Output   int           `json:"output"` // bytes of an alert that a lambda returns
}

// The jobs that there are.
const (
	CheckLambda    = "check lambda"
	RunLambda      = "run lambda"
	CheckTemplate  = "check template"
	RenderTemplate = "render template"
)

// Job is one thing to do. Which fields count follows from Do.
type Job struct {
	Do     string          `json:"do"`
	Source string          `json:"source"`
	Alert  json.RawMessage `json:"alert,omitempty"`
	Config json.RawMessage `json:"config,omitempty"`
	Ticket json.RawMessage `json:"ticket,omitempty"`
	Action json.RawMessage `json:"action,omitempty"`
	Now    int64           `json:"now,omitempty"` // milliseconds since 1970
	Seed   string          `json:"seed,omitempty"`
	Form   string          `json:"form,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// ExitMemory is how a worker ends that finds itself over its memory.
const ExitMemory = 3

// Answer is how a job ended.
type Answer struct {
	Alert    json.RawMessage `json:"alert,omitempty"`
	Logs     []string        `json:"logs,omitempty"`
	Text     string          `json:"text,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Fault    *Fault          `json:"fault,omitempty"`
	// Retire tells that the worker has ended itself after this answer, as its
	// memory is no longer worth cleaning up.
	Retire bool `json:"retire,omitempty"`
}

// Fault is why a job failed, in plain words.
type Fault struct {
	Message string  `json:"message"`
	Places  []Place `json:"places,omitempty"` // in the author's source, the innermost first
}

// Place is a place in the author's source. Line counts from 1 and column from 0,
// in characters.
type Place struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	In     string `json:"in,omitempty"` // the function's name
}

// Faultf is a fault without a place.
func Faultf(format string, values ...any) *Fault {
	return &Fault{Message: fmt.Sprintf(format, values...)}
}

// At is the fault with its place.
func (f *Fault) At(line, column int) *Fault {
	f.Places = []Place{{Line: line, Column: column}}
	return f
}

// Write sends one frame.
func Write(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text))) //nolint:gosec // a job and an answer are bounded far below
	_, err = w.Write(append(frame, text...))
	return err
}

// Read receives one frame of at most so many bytes. The other side is not
// believed: a frame that says it is longer is an error, and takes no memory.
func Read(r io.Reader, most int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if int64(size) > int64(most) {
		return fmt.Errorf("a frame of %d bytes is over the %d that are taken", size, most)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read a frame: %w", err)
	}
	return nil
}

// TookLonger and NeedsMore say which limit was met; both sides find out.
func TookLonger(than time.Duration) string {
	return fmt.Sprintf("took longer than %v", than)
}

// NeedsMore is about memory.
func NeedsMore(bytes int64) string {
	return fmt.Sprintf("needs more than %d MiB of memory", bytes>>20)
}
