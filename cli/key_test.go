package cli

import (
	"fmt"
	"regexp"
	"testing"
)

// TestKeys: the same input gives the same keys, and two alerts never share one.
func TestKeys(t *testing.T) {
	read := func(file string, texts ...string) (all []string) {
		k := keys{file: file}
		for i, text := range texts {
			all = append(all, k.key(i+1, []byte(text)))
		}
		return all
	}
	for _, file := range []string{"/var/log/eve.json", "-"} {
		first, again := read(file, "a", "b", "a"), read(file, "a", "b", "a")
		if fmt.Sprint(first) != fmt.Sprint(again) {
			t.Errorf("%s: read again, %v became %v", file, first, again)
		}
		if first[0] == first[2] {
			t.Errorf("%s: two equal lines are two alerts and share a key", file)
		}
		if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(first[0]) {
			t.Errorf("%s: key %q", file, first[0])
		}
	}
	if read("/a", "x")[0] == read("/b", "x")[0] {
		t.Error("two files share a key")
	}
	// A file of which the log daemon took away the head is another file; a
	// stream that begins later is the same stream.
	if head, tail := read("-", "a", "b", "c"), read("-", "b", "c"); head[1] != tail[0] || head[2] != tail[1] {
		t.Error("a stream that was cut has other keys")
	}
	if read("/a", "1")[0] == read("/a", "", "1")[1] {
		t.Error("the line does not count in a file")
	}
}

// TestKeysOfAnEndlessStream: what is remembered of a stream is bounded.
func TestKeysOfAnEndlessStream(t *testing.T) {
	k := keys{file: "-"}
	for i := range keyWindow + 10 {
		k.key(i, fmt.Append(nil, i))
	}
	if len(k.seen) > keyWindow {
		t.Errorf("%d contents are remembered", len(k.seen))
	}
}
