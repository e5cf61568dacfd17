package notification

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
)

func TestSettings(t *testing.T) { exam.Settings(t, Kind()) }

// page is a notifications page in memory: one notification a delivery.
type page struct {
	all  []dispatch.Notification
	fail error
}

func (p *page) notify(_ context.Context, n dispatch.Notification) error {
	p.all = append(p.all, n)
	return p.fail
}

func deliver(t *testing.T, p *page, config string, parcel dispatch.Parcel) dispatch.Outcome {
	t.Helper()
	m, err := Kind().Open(Kind().Settings, dispatch.World{Notify: p.notify})
	if err != nil {
		t.Fatal(err)
	}
	rendered, problems := dispatch.RenderSettings(Kind().ConfigSettings, dispatch.JSON(config), parcel.Alert, parcel.Ticket, parcel.TicketURL)
	if problems != nil {
		t.Fatal(problems)
	}
	settings, err := dispatch.Unpack(Kind().ConfigSettings, rendered)
	if err != nil {
		t.Fatal(err)
	}
	parcel.Settings = settings
	return m.Deliver(t.Context(), parcel)
}

// TestDefaultIsSendable: an API config with the type and nothing else works.
func TestDefaultIsSendable(t *testing.T) {
	var p page
	out := deliver(t, &p, `{}`, exam.Parcel(1))
	if out.Kind() != dispatch.OutcomeDelivered || out.Ref().ID != p.all[0].ID {
		t.Fatalf("outcome %v %v, ref %v", out.Kind(), out.Err(), out.Ref())
	}
	n := p.all[0]
	if dispatch.IDPrefix(n.ID) != dispatch.PrefixNotification || n.CreatedAt.IsZero() {
		t.Errorf("id %q, created %v", n.ID, n.CreatedAt)
	}
	n.ID, n.CreatedAt = "ntf_1", exam.Parcel(1).Alert.OccurredAt
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	exam.Golden(t, "testdata/notification.json", text)
}

// TestSameDelivery: a second attempt carries the same delivery id, by which
// the page knows it, and refers to what the first one left there.
func TestSameDelivery(t *testing.T) {
	var p page
	again := exam.Parcel(1)
	again.Attempt = 2
	deliver(t, &p, `{}`, exam.Parcel(1))
	if out := deliver(t, &p, `{}`, again); out.Ref().ID != p.all[0].ID {
		t.Errorf("the second attempt refers to %s, on the page is %s", out.Ref().ID, p.all[0].ID)
	}
	if *p.all[0].DeliveryID != *p.all[1].DeliveryID || *p.all[0].DeliveryID != again.DeliveryID {
		t.Errorf("delivery ids %s, %s", *p.all[0].DeliveryID, *p.all[1].DeliveryID)
	}
}

// TestOwnWords: every setting shows, and an empty title falls back.
func TestOwnWords(t *testing.T) {
	var p page
	parcel := exam.Parcel(1)
	parcel.Test, parcel.Ticket = true, nil
	deliver(t, &p, `{"title": "{{.Ticket.Title}}", "message": "see {{.Alert.Attributes.host}}", "category": "Net",
		"subCategory": "VPN", "source": "edge", "severity": "LOW"}`, parcel)
	n := p.all[0]
	if n.Title != "[Test] "+parcel.Alert.Summary || n.Message != "see vpn-1" || n.Category != "Net" || *n.SubCategory != "VPN" ||
		n.Source != "edge" || n.Severity != dispatch.Low || n.TicketID != nil {
		t.Errorf("notification %+v", n)
	}
}

// TestLongTexts are cut visibly.
func TestLongTexts(t *testing.T) {
	var p page
	parcel := exam.Parcel(1)
	parcel.Alert.Summary = strings.Repeat("long ", 400)
	deliver(t, &p, `{}`, parcel)
	if title := p.all[0].Title; len(title) > maxTitle || !strings.HasSuffix(title, "[cut]") {
		t.Errorf("title of %d bytes: %q", len(title), title)
	}
}

// TestPageUnavailable is tried again.
func TestPageUnavailable(t *testing.T) {
	p := page{fail: errors.New("disk full")}
	if out := deliver(t, &p, `{}`, exam.Parcel(1)); out.Kind() != dispatch.OutcomeDeferred {
		t.Errorf("outcome %v", out.Kind())
	}
}
