package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// entriesOf reads a whole input.
func entriesOf(t *testing.T, in io.Reader, name string) []entry {
	t.Helper()
	out := make(chan entry)
	go newReader(io.NopCloser(in), "/input", formats[name]).run(t.Context(), out)
	var all []entry
	for e := range out {
		all = append(all, e)
	}
	return all
}

// TestReader: the broken line in the middle is a problem of its own, with its
// number, and so is what is no JSON and no text.
func TestReader(t *testing.T) {
	all := entriesOf(t, bytes.NewReader(mustRead(t, "eve.jsonl")), "eve")
	var alerts, skipped, problems int
	for _, e := range all {
		switch {
		case e.problem != "":
			problems++
			if e.line != 18 || e.problem != "is not JSON: unexpected end of JSON input; give one JSON object a line" {
				t.Errorf("line %d: %s", e.line, e.problem)
			}
		case e.alert == nil:
			skipped++
		default:
			alerts++
		}
	}
	if alerts != 13 || skipped != 16 || problems != 1 {
		t.Errorf("%d alerts, %d skipped, %d problems; want 13, 16, 1", alerts, skipped, problems)
	}
	if last := all[len(all)-1]; last.read != int64(len(mustRead(t, "eve.jsonl"))) {
		t.Errorf("the last line ends at byte %d", last.read)
	}
}

func TestReaderNamesWhatIsNoLine(t *testing.T) {
	in := "\xff\xfe\n\n{\"a\":\x00}\n" + strings.Repeat("x", maxLine+1) + "\n{} {}\n"
	want := []struct {
		line int
		text string
	}{{1, "is not valid UTF-8; encode it as UTF-8"}, {3, "is not JSON: "}, {4, "is longer than 8 MiB; shorten it"}, {5, "is not JSON: "}}
	got := entriesOf(t, strings.NewReader(in), "tocsin")
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i].line != w.line || !strings.HasPrefix(got[i].problem, w.text) {
			t.Errorf("line %d: %s; want line %d: %s", got[i].line, got[i].problem, w.line, w.text)
		}
	}
}

// TestReaderFails: an input that breaks off is not taken for its end.
func TestReaderFails(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("{\"behaviorModel\":\"m\",\"summary\":\"s\"}\n"), iotest.ErrReader(errors.New("disk on fire")))
	all := entriesOf(t, broken, "tocsin")
	if len(all) != 2 || all[0].alert == nil || all[1].failed == nil || all[1].failed.Error() != "read line 2: disk on fire" {
		t.Errorf("entries %+v", all)
	}
}
