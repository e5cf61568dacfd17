package servicenow

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
	instance "tocsin/fake/servicenow"
)

// take brings a push in.
func (s stage) take(t *testing.T, p instance.Push) ([]dispatch.StatusChange, dispatch.Reply) {
	t.Helper()
	header, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return s.Receive(t.Context(), dispatch.Inbound{Method: http.MethodPost, Header: header, Body: []byte(p.Body)})
}

// pushes is what the business rule says of a record.
func (s stage) pushes(t *testing.T, id string) dispatch.StatusChange {
	t.Helper()
	p, err := s.i.Push(id, secret)
	if err != nil {
		t.Fatal(err)
	}
	changes, reply := s.take(t, p)
	if len(changes) != 1 || reply.Status != 0 {
		t.Fatalf("%d changes, reply %+v", len(changes), reply)
	}
	return changes[0]
}

// TestReceive takes who did what, and knows what we did ourselves.
func TestReceive(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	id := s.made("1")
	s.i.SetState(id, "2", "beth.anglin")
	c := s.pushes(t, id)
	r := s.i.Record(id).Columns
	if c.EventID != id+":1" || !slices.Equal(c.Names, []string{id}) || !slices.Equal(c.Also, []string{r["number"]}) || c.Status != dispatch.TicketAcknowledged ||
		c.Word != "In Progress" || c.By != "beth.anglin" || c.Echo || c.Level || c.At.Truncate(time.Second).Format(stamp) != r["sys_updated_on"] {
		t.Errorf("change %+v", c)
	}
	s.i.SetState(id, "6", "tocsin")
	if c := s.pushes(t, id); !c.Echo || c.By != "" || c.Status != dispatch.TicketClosed {
		t.Errorf("our own doing is %+v", c)
	}
	s.i.SetState(id, "42", "beth.anglin")
	if c := s.pushes(t, id); c.Status != "" || !strings.Contains(c.Text, "beth.anglin: state 42, which stands for no status") {
		t.Errorf("an unknown state is %+v", c)
	}
}

// TestWithinOneSecond: two changes within one second have their order, and one that
// is told twice has one id.
func TestWithinOneSecond(t *testing.T) {
	at := time.Now().Truncate(time.Second)
	s := staged(t, instance.Options{Now: func() time.Time { return at }}, "")
	id := s.made("1")
	s.i.SetState(id, "2", "beth.anglin")
	earlier, again := s.pushes(t, id), s.pushes(t, id)
	s.i.SetState(id, "6", "beth.anglin")
	later := s.pushes(t, id)
	if !later.At.After(earlier.At) || later.EventID == earlier.EventID || again.EventID != earlier.EventID {
		t.Errorf("%+v and %+v", earlier, later)
	}
	if changes, _ := s.polls(t, ""); !changes[0].At.Equal(later.At) {
		t.Errorf("polled as of %v, pushed as of %v", changes[0].At, later.At)
	}
}

// TestWithoutName: while we do not know our own name, nobody is said to have done
// it, so that the hub looks for its echo.
func TestWithoutName(t *testing.T) {
	s := stagedWith(t, instance.Options{}, `, "clientId": "c"`, map[string]dispatch.Secret{"clientSecret": "secret-of-the-client", "webhookSecret": secret})
	id := s.made("6")
	if c := s.pushes(t, id); c.By != "" || c.Echo || c.Text != "tocsin: Resolved" {
		t.Errorf("change %+v", c)
	}
}

// TestReceiveForms: values may be numbers, and a delete takes the copy away.
func TestReceiveForms(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	const id = "9d385017c611228701d22104cc95c371"
	changes, _ := s.take(t, instance.Push{Secret: secret, Body: `{"sys_id": "` + id + `", "state": 6, "sys_mod_count": 3}`})
	if len(changes) != 1 || changes[0].Status != dispatch.TicketClosed || changes[0].EventID != id+":3" || changes[0].At.IsZero() {
		t.Errorf("changes %+v", changes)
	}
	changes, _ = s.take(t, instance.Push{Secret: secret, Body: `{"sys_id": "` + id + `", "sys_mod_count": "4", "sys_updated_by": "admin", "operation": "delete"}`})
	if len(changes) != 1 || !changes[0].Gone || changes[0].Status != "" {
		t.Errorf("changes %+v", changes)
	}
}

// TestNotAuthentic: nothing is taken from who has not signed just now, and nothing
// at all without a secret.
func TestNotAuthentic(t *testing.T) {
	s := staged(t, instance.Options{}, "")
	good, err := s.i.Push(s.made("6"), secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p *instance.Push){
		"another secret": func(p *instance.Push) { p.Secret = "whsec_YW5vdGhlciBzZWNyZXQgd2l0aCAzMiBieXRlcyE=" },
		"long ago":       func(p *instance.Push) { p.At = time.Now().Add(-tolerance - time.Minute) },
		"far ahead":      func(p *instance.Push) { p.At = time.Now().Add(tolerance + time.Minute) },
	} {
		p := good
		change(&p)
		if changes, reply := s.take(t, p); len(changes) > 0 || reply.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d changes, %+v", name, len(changes), reply)
		}
	}
	header, err := good.Sign()
	if err != nil {
		t.Fatal(err)
	}
	if changes, reply := s.Receive(t.Context(), dispatch.Inbound{Header: header, Body: []byte(good.Body + " ")}); len(changes) > 0 || reply.Status != http.StatusUnauthorized {
		t.Errorf("another body: %d changes, %+v", len(changes), reply)
	}
	without := stagedWith(t, instance.Options{}, `, "username": "tocsin"`, map[string]dispatch.Secret{"password": password})
	for _, h := range []http.Header{header, {}} {
		if changes, reply := without.Receive(t.Context(), dispatch.Inbound{Header: h, Body: []byte(good.Body)}); len(changes) > 0 || reply.Status != http.StatusUnauthorized {
			t.Errorf("no secret: %d changes, %+v", len(changes), reply)
		}
	}
}

// TestBadPush: a body that cannot be used is answered with what is wrong.
func TestBadPush(t *testing.T) {
	for body, says := range map[string]string{
		`[]`:                                   "JSON object",
		`{"state": "6"}`:                       "sys_id",
		`{"sys_id": "1^ORstate=1"}`:            "sys_id",
		`{"sys_id": "ID", "state": "6"}`:       "sys_mod_count",
		`{"sys_id": "ID", "sys_mod_count": 3}`: "state",
	} {
		s := staged(t, instance.Options{}, "")
		body = strings.ReplaceAll(body, "ID", "9d385017c611228701d22104cc95c371")
		changes, reply := s.take(t, instance.Push{Secret: secret, Body: body})
		if len(changes) > 0 || reply.Status != http.StatusBadRequest || !strings.Contains(reply.Body, says) {
			t.Errorf("%s: %d changes, %+v", body, len(changes), reply)
		}
	}
	s := staged(t, instance.Options{}, `, "pollTable": "task"`)
	if _, reply := s.take(t, instance.Push{Secret: secret, Body: `{"sys_id": "9d385017c611228701d22104cc95c371", "state": "3", "sys_mod_count": 1}`}); !strings.Contains(reply.Body, "table") {
		t.Errorf("reply %+v", reply)
	}
}
