package preset

import (
	"math"
	"slices"
	"testing"
	"time"

	"tocsin/dispatch"
)

// TestSeconds: what a service says of time is kept within a day.
func TestSeconds(t *testing.T) {
	for n, want := range map[float64]time.Duration{
		1.5: 1500 * time.Millisecond, 0: 0, -3: 0, math.Inf(1): 24 * time.Hour, 1e9: 24 * time.Hour,
	} {
		if got := Seconds(n); got != want {
			t.Errorf("%v seconds are %v, want %v", n, got, want)
		}
	}
	if got := Seconds(math.NaN()); got != 0 {
		t.Errorf("no number is %v", got)
	}
}

// TestAddress: of an address that is a credential, all but the host is hidden.
func TestAddress(t *testing.T) {
	got := Address("https://chat.example.com/hooks/abcdefghijklmnopqrst/x?key=k3y-of-it")
	for _, want := range []string{"/hooks/abcdefghijklmnopqrst/x?key=k3y-of-it", "/hooks/abcdefghijklmnopqrst/x", "abcdefghijklmnopqrst", "k3y-of-it"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not hidden: %q", want, got)
		}
	}
	if got := Address("%zz"); !slices.Equal(got, []string{"%zz"}) {
		t.Errorf("no address: %q", got)
	}
}

// TestAnswers of somebody else have no fields.
func TestAnswers(t *testing.T) {
	if Number([]byte("<html>"), "n") != 0 || Number([]byte(`{"n": "7"}`), "n") != 0 || Number([]byte(`{"n": 7.5}`), "n") != 7.5 {
		t.Error("a number was read wrongly")
	}
	if Says([]byte("[]"), "id", "x") || Says([]byte(`{"id": 1}`), "id", "1") || !Says([]byte(`{"id": "x.y"}`), "id", "x") {
		t.Error("a text was read wrongly")
	}
}

// TestCheckWord: a secret that would break a header is refused by name, and not shown.
func TestCheckWord(t *testing.T) {
	for _, bad := range []dispatch.Secret{"two words", "line\nbreak", "ümlaut"} {
		if err := CheckWord("token", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := CheckWord("token", "AbC-12_3."); err != nil {
		t.Error(err)
	}
}
