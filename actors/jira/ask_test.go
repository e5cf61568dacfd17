package jira

import (
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
	"tocsin/fake"
	site "tocsin/fake/jira"
)

// polls are all polls to the last page.
func polls(t *testing.T, m *messenger, cursor string) (changes []dispatch.StatusChange, next string, pages int) {
	t.Helper()
	for {
		p, out := m.Poll(t.Context(), cursor)
		if out.Kind() != dispatch.OutcomeDelivered {
			t.Fatalf("%v %v", out.Kind(), out.Err())
		}
		changes, cursor, pages = append(changes, p.Changes...), p.Cursor, pages+1
		if !p.More {
			return changes, cursor, pages
		}
	}
}

// TestPoll: what has changed since is found to the last page and told as it is
// now, though a search knows it late; what is not ours is not asked for.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := piped(t, site.Options{SearchDelay: 30 * time.Second, PageMost: 2})
		for n := range 5 {
			delivered(t, m, parcel(n))
		}
		all, cursor, pages := polls(t, m, "")
		if len(all) != 0 || pages != 1 {
			t.Errorf("before a search knows them: %d changes on %d pages", len(all), pages)
		}
		wait(time.Minute)
		all, cursor, pages = polls(t, m, cursor)
		if len(all) != 5 || pages != 3 {
			t.Errorf("%d changes on %d pages", len(all), pages)
		}
		must(t, s.Move("SEC-3", "In Progress", jane))
		wait(time.Minute)
		must(t, s.Move("SEC-3", "Done", jane)) // which a search does not know yet
		all, cursor, _ = polls(t, m, cursor)
		var third dispatch.StatusChange
		for _, c := range all {
			if c.Names[0] == "10003" {
				third = c
			}
		}
		if third.Status != dispatch.TicketClosed || third.Word != "Done" || !third.Level || third.AskedAt.IsZero() || third.At.IsZero() {
			t.Errorf("the third is %+v", third)
		}
		wait(time.Hour)
		if all, cursor, _ = polls(t, m, cursor); len(all) == 0 {
			t.Error("an hour without a poll was not looked back on")
		}
		wait(10 * time.Minute)
		if all, _, _ = polls(t, m, cursor); len(all) != 0 {
			t.Errorf("%d changes, though nothing has changed for an hour", len(all))
		}
	})
}

// TestPollFails: a failure keeps the cursor; one of Jira's that has ended begins
// the round anew.
func TestPollFails(t *testing.T) {
	s := started(t, site.Options{PageMost: 1})
	m := opened(t, s)
	delivered(t, m, parcel(1))
	delivered(t, m, parcel(2))
	first, _ := m.Poll(t.Context(), "")
	for _, step := range []fake.Step{{Path: "/rest/api/3/search/jql", Status: 503}, {Path: "/rest/api/3/issue/bulkfetch", Status: 503}, {Path: "/rest/api/3/issue/bulkfetch", Status: 200, Body: "{}"}} {
		s.Play(step)
		if p, out := m.Poll(t.Context(), first.Cursor); out.Kind() != dispatch.OutcomeDeferred || p.Cursor != first.Cursor || len(p.Changes) > 0 {
			t.Errorf("%v %v %+v", out.Kind(), out.Err(), p)
		}
	}
	s.Play(fake.Step{Path: "/rest/api/3/search/jql", Status: 400, Body: `{"errorMessages":["The provided next page token is invalid or expired."]}`})
	p, out := m.Poll(t.Context(), first.Cursor)
	if out.Kind() != dispatch.OutcomeDelivered || p.More {
		t.Fatalf("%v %v", out.Kind(), out.Err())
	}
	if all, _, _ := polls(t, m, p.Cursor); len(all) != 2 {
		t.Errorf("%d changes of the new round", len(all))
	}
}

// TestAsk: a hundred issues are one call; one that cannot be read now is left out.
func TestAsk(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	var links []dispatch.TicketLink
	for n := range 3 {
		links = append(links, dispatch.TicketLink{ExternalID: delivered(t, m, parcel(n)).ID})
	}
	must(t, s.Move("SEC-2", "Done", jane))
	links = append(links, links[0], dispatch.TicketLink{ExternalID: "not an id"})
	before := len(s.Requests.All())
	changes, out := m.Ask(t.Context(), links)
	if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 3 || len(s.Requests.All()) != before+1 {
		t.Fatalf("%v %v %+v", out.Kind(), out.Err(), changes)
	}
	if c := changes[1]; c.Status != dispatch.TicketClosed || !c.Level || c.AskedAt.IsZero() || c.Also[0] != "SEC-2" {
		t.Errorf("%+v", c)
	}
	s.Play(fake.Step{Path: "/rest/api/3/issue/bulkfetch", Status: 200, Body: `{"issues":[],"issueErrors":[{"id":"10001","errorMessage":"later"}]}`})
	if changes, out = m.Ask(t.Context(), links[:1]); out.Kind() != dispatch.OutcomeDelivered || len(changes) > 0 {
		t.Errorf("%v %v %+v", out.Kind(), out.Err(), changes)
	}
	s.Play(fake.Step{Status: 429, Headers: map[string]string{"Retry-After": "7"}})
	if _, out = m.Ask(t.Context(), links); out.Kind() != dispatch.OutcomeDeferred || out.Wait() != 7*time.Second {
		t.Errorf("%v waits %v", out.Kind(), out.Wait())
	}
}

// TestAskAfterEvent: what is asked after an event has come is not older than it.
func TestAskAfterEvent(t *testing.T) {
	s := started(t, site.Options{})
	m := opened(t, s)
	changes := ear(t, s, m)
	id := delivered(t, m, parcel(1)).ID
	must(t, s.Move("SEC-1", "Done", jane))
	must(t, s.Flush(t.Context()))
	asked, _ := m.Ask(t.Context(), []dispatch.TicketLink{{ExternalID: id}})
	if event := changes.All()[0]; asked[0].At.Before(event.At) || event.At.IsZero() {
		t.Errorf("the event is of %v, the answer of %v", event.At, asked[0].At)
	}
}
