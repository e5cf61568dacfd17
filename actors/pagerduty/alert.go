package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"tocsin/dispatch"
)

// alert is one of an incident's.
type alert struct{ key, status, integration string }

func (a alert) isResolved() bool { return a.status == wordResolved }

// maxPages bounds what is read of one incident's alerts; the REST API gives no
// more than the first 10,000.
const maxPages = 100

// alertsOf lists an incident's alerts; key asks for those with that dedup key
// alone. An alert carries the details that were sent, up to 512 KB, more than a
// call reads: so a page ends where it was cut, and the next one begins there.
func (m *messenger) alertsOf(ctx context.Context, id, key string) ([]alert, dispatch.Outcome) {
	if !idForm.MatchString(id) {
		return nil, dispatch.Refused(errors.New("the id is not one of PagerDuty"))
	}
	var all []alert
	for range maxPages {
		page, more, out := m.alertsPage(ctx, id, key, len(all))
		if out.Kind() != dispatch.OutcomeDelivered {
			return nil, out
		}
		all = append(all, page...)
		if !more || len(page) == 0 {
			return all, out
		}
	}
	return all, dispatch.Delivered(dispatch.Ref{})
}

func (m *messenger) alertsPage(ctx context.Context, id, key string, offset int) ([]alert, bool, dispatch.Outcome) {
	query := url.Values{"limit": {"100"}, "offset": {strconv.Itoa(offset)}}
	if key != "" {
		query.Set("alert_key", key)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.api()+"/incidents/"+id+"/alerts?"+query.Encode(), nil)
	if err != nil {
		return nil, false, dispatch.Refused(fmt.Errorf("ask for the alerts of an incident: %w", err))
	}
	c := m.call()
	out := read(m.do(c, r))
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, false, out
	}
	page, more, ok := alertsIn(c.Body())
	if !ok {
		return nil, false, dispatch.Refused(c.Error("this is not an answer of PagerDuty; check settings.apiUrl")).Over(c.Exchange())
	}
	return page, more, out
}

// alertsIn reads a page as far as it goes. More says that there are alerts after
// those, on this page or on another; ok, that it is a page at all.
func alertsIn(body []byte) (alerts []alert, more, ok bool) {
	var whole struct {
		Alerts []struct {
			Key         string `json:"alert_key"`
			Status      string `json:"status"`
			Integration struct {
				ID string `json:"id"`
			} `json:"integration"`
		} `json:"alerts"`
		More bool `json:"more"`
	}
	if json.Unmarshal(body, &whole) == nil {
		for _, a := range whole.Alerts {
			alerts = append(alerts, alert{a.Key, a.Status, a.Integration.ID})
		}
		return alerts, whole.More, whole.Alerts != nil
	}
	alerts = cutAlerts(json.NewDecoder(bytes.NewReader(body)))
	return alerts, true, len(alerts) > 0
}

// cutAlerts are those of a page that ends somewhere. The last one counts if its
// key was read, which stands before the details.
func cutAlerts(d *json.Decoder) (alerts []alert) {
	for _, want := range []json.Token{json.Delim('{'), "alerts", json.Delim('[')} {
		if token, err := d.Token(); err != nil || token != want {
			return nil
		}
	}
	for d.More() {
		a, whole := alertFrom(d)
		if whole || a.key != "" {
			alerts = append(alerts, a)
		}
		if !whole {
			return alerts
		}
	}
	return alerts
}

// alertFrom reads the fields of an alert that are texts, up to where it is cut.
func alertFrom(d *json.Decoder) (a alert, whole bool) {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return a, false
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return a, false
		}
		switch name {
		case "alert_key":
			a.key = words(value)
		case "status":
			a.status = words(value)
		}
	}
	_, err := d.Token()
	return a, err == nil
}
