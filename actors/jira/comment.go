package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// follow comments on the ticket's issue that a further alert has joined. The
// outcome is Gone when the issue is not there any more.
func (m *messenger) follow(ctx context.Context, s *ConfigSettings, p dispatch.Parcel) dispatch.Outcome {
	ref := dispatch.Ref{ID: p.Link.ExternalID}
	if !s.Comments {
		return dispatch.Delivered(ref)
	}
	if p.Attempt > 1 {
		if out, found := m.commented(ctx, p); found || out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
	}
	body := document(s.Summary+"\n\n"+s.Description, preset.Of(s.Description, p), mark(p.DeliveryID))
	path := "/rest/api/3/issue/" + p.Link.ExternalID + "/comment"
	out := m.ask(ctx, request{method: http.MethodPost, path: path, body: map[string]any{"body": body}, writes: true}, nil)
	if out.Kind() != dispatch.OutcomeDelivered {
		return m.orGone(ctx, out)
	}
	return dispatch.Delivered(ref).Over(out.Exchange())
}

// commented looks for the comment of a delivery among the latest of its issue.
func (m *messenger) commented(ctx context.Context, p dispatch.Parcel) (out dispatch.Outcome, isThere bool) {
	var answer struct {
		Comments []struct {
			Body json.RawMessage `json:"body"`
		} `json:"comments"`
	}
	path := "/rest/api/3/issue/" + p.Link.ExternalID + "/comment"
	out = m.ask(ctx, request{method: http.MethodGet, path: path, query: values("orderBy", "-created", "maxResults", "100")}, &answer)
	if out.Kind() != dispatch.OutcomeDelivered {
		return m.orGone(ctx, out), false
	}
	for _, c := range answer.Comments {
		if bytes.Contains(c.Body, []byte(mark(p.DeliveryID))) {
			return dispatch.Delivered(dispatch.Ref{ID: p.Link.ExternalID}).Over(out.Exchange()), true
		}
	}
	return out, false
}

// orGone says of an answer 404 that the issue is gone, if the account is known
// there: whoever is not known, is shown no issue either.
func (m *messenger) orGone(ctx context.Context, out dispatch.Outcome) dispatch.Outcome {
	if out.Exchange().HTTPStatus != http.StatusNotFound {
		return out
	}
	if _, known := m.myself(ctx); known.Kind() != dispatch.OutcomeDelivered {
		return known
	}
	return out.Gone()
}

// values are a query's, in pairs.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 1; i < len(pairs); i += 2 {
		v.Set(pairs[i-1], pairs[i])
	}
	return v
}
