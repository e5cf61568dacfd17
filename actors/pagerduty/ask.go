package pagerduty

import (
	"context"
	"math/rand/v2"
	"time"

	"tocsin/dispatch"
)

// A question takes two calls. The pace leaves three quarters of what the REST API
// allows a token, 960 a minute, to others. An incident is not there at once after
// its event, so that for a while the REST API may still tell of the one before.
const (
	askEvery = 500 * time.Millisecond
	askLast  = 3 * time.Second // of the time given: not enough for another question
	settling = 30 * time.Second
)

// Ask tells how incidents stand, as many as fit into the time that ctx gives, in
// no order, so that over the rounds all have their turn. Without a token there is
// nobody to ask.
func (m *messenger) Ask(ctx context.Context, links []dispatch.TicketLink) ([]dispatch.StatusChange, dispatch.Outcome) {
	if m.settings.Token == "" {
		return nil, dispatch.Delivered(dispatch.Ref{})
	}
	keys := keysOf(links)
	rand.Shuffle(len(keys), func(a, b int) { keys[a], keys[b] = keys[b], keys[a] }) //nolint:gosec // a fair order needs no secrecy
	var changes []dispatch.StatusChange
	for n, key := range keys {
		if n > 0 && !rest(ctx) {
			break
		}
		asked := time.Now()
		i, out := m.incidentOf(ctx, key)
		if out.Kind() != dispatch.OutcomeDelivered {
			return changes, out
		}
		if i != nil {
			changes = append(changes, dispatch.StatusChange{
				Names: []string{key}, Status: i.status, Word: i.word, Also: []string{i.id}, URL: i.url, Level: true, AskedAt: asked,
			})
		}
	}
	return changes, dispatch.Delivered(dispatch.Ref{})
}

// keysOf are the keys to ask for, each once: API configs may share an incident.
func keysOf(links []dispatch.TicketLink) []string {
	var keys []string
	seen := map[string]bool{}
	for _, l := range links {
		if isSettling(l) {
			seen[l.ExternalID] = true
		}
	}
	for _, l := range links {
		if !seen[l.ExternalID] {
			seen[l.ExternalID] = true
			keys = append(keys, l.ExternalID)
		}
	}
	return keys
}

// rest waits between two questions; false when there is no time for another.
func rest(ctx context.Context) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < askLast {
		return false
	}
	pause := time.NewTimer(askEvery)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}
