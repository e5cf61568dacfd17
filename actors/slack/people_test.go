package slack

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/fake"
	workspace "tocsin/fake/slack"
)

// TestWhoClicked: the name is the person's own where Slack tells it, else the one
// of the payload, and Slack is not asked each time.
func TestWhoClicked(t *testing.T) {
	untold := acme(func(o *workspace.Options) { o.Scopes = []string{"chat:write"} })
	slow := acme(nil)
	for name, row := range map[string]struct {
		w    *workspace.Workspace
		step fake.Step
		want string
	}{
		"told":          {acme(nil), fake.Step{Path: "/api/nothing"}, "Jane Doe"},
		"not allowed":   {untold, fake.Step{Path: "/api/nothing"}, "jane.doe"},
		"no answer":     {slow, fake.Step{Path: "/api/users.info", Hang: true}, "jane.doe"},
		"no team known": {acme(nil), fake.Step{Path: "/api/auth.test", Status: 500}, "Jane Doe"},
	} {
		m := opened(t, row.w)
		in, _ := clicked(t, row.w, m, "acknowledge")
		row.w.Play(row.step)
		for range 3 {
			start := time.Now()
			changes, _ := m.Receive(t.Context(), in)
			if len(changes) != 1 || changes[0].By != row.want || changes[0].Text != row.want+" clicked Acknowledge" {
				t.Errorf("%s: %+v", name, changes)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%s: Slack waited %v", name, took)
			}
		}
		asked := 0
		for _, r := range row.w.Requests.All() {
			if strings.HasSuffix(r.URL.Path, "users.info") {
				asked++
			}
		}
		if asked > 1 {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
}

// TestCrowdOfClicks: many people at once, with one messenger.
func TestCrowdOfClicks(t *testing.T) {
	w := acme(nil)
	m := opened(t, w)
	in, _ := clicked(t, w, m, "acknowledge")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if changes, _ := m.Receive(context.WithoutCancel(t.Context()), in); len(changes) != 1 || changes[0].By != "Jane Doe" {
				t.Errorf("changes %+v", changes)
			}
		})
	}
	all.Wait()
}
