package pagerduty

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

func restFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata/rest", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestFaults: every form in which the REST API says what is wrong is understood,
// where the library loses it.
func TestFaults(t *testing.T) {
	for name, want := range map[string]fault{
		"400.already-resolved":    {2001, "Invalid Input Provided: Incident Already Resolved"},
		"400.errors-as-string":    {2001, "Invalid Input Provided: Requester User Not Found"},
		"400.errors-as-object":    {2001, "Invalid Request: {"},
		"400.requester-not-found": {2001, "Invalid Input Provided: Requester User Not Found"},
		"401":                     {2006, "Authentication failed"},
		"404":                     {2100, "Not Found"},
	} {
		if got := faultOf(restFile(t, name)); got.code != want.code || !strings.HasPrefix(got.text, want.text) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for body, want := range map[string]fault{
		`{"error": ["one", "two"]}`: {0, "one, two"}, `{"error": "text"}`: {0, "text"}, "<html>": {}, `{}`: {},
	} {
		if got := faultOf([]byte(body)); got != want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}

// TestEndedCall: the time given is over, which the library's errors do not say.
func TestEndedCall(t *testing.T) {
	a := started(t, account.Options{APIKey: token})
	m := openedWith(t, a, ours, hookSecrets(token)).(*messenger)
	a.Play(fake.Step{Hang: true, Times: -1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = a.Requests.Wait(t.Context(), 1)
		cancel()
	}()
	if _, out := m.incidentOf(ctx, "srv-1:x"); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("a question: %v %v", out.Kind(), out.Err())
	}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, _ = a.Requests.Wait(t.Context(), 2)
		cancel()
	}()
	if out := m.Update(ctx, update(1, dispatch.TicketOpen, dispatch.TicketClosed)); out.Kind() != dispatch.OutcomeUncertain {
		t.Errorf("an event: %v %v", out.Kind(), out.Err())
	}
}
