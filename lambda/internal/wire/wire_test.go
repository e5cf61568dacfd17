package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	var pipe bytes.Buffer
	for _, source := range []string{"one", "", strings.Repeat("x", 1<<20)} {
		if err := Write(&pipe, Job{Do: RunLambda, Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{3, 0, 1 << 20} {
		var j Job
		if err := Read(&pipe, 2<<20, &j); err != nil || len(j.Source) != want {
			t.Errorf("got %d characters, %v", len(j.Source), err)
		}
	}
	if err := Read(&pipe, 100, &Job{}); err != io.EOF { //nolint:errorlint // the end of the pipe itself
		t.Errorf("after the last: %v", err)
	}
}

// What a worker writes may be anything.
func TestFramesThatLie(t *testing.T) {
	for name, bytes := range map[string]string{
		"too long": "\xff\xff\xff\xff{}", "cut off": "\x00\x00\x00\x09{}", "no JSON": "\x00\x00\x00\x02{]", "another shape": "\x00\x00\x00\x0c{\"logs\": 12}", "half a length": "\x00\x00",
	} {
		if err := Read(strings.NewReader(bytes), 1<<20, &Answer{}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
