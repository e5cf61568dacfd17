package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
	receiver "tocsin/fake/webhook"
)

const inboundSecret = "whsec_AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="

// taken is what becomes of a callback.
func taken(t *testing.T, c receiver.Callback) ([]dispatch.StatusChange, dispatch.Reply) {
	t.Helper()
	header, err := c.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return received(t, inboundSecret, header, c.Body)
}

func received(t *testing.T, inbound dispatch.Secret, header http.Header, body string) ([]dispatch.StatusChange, dispatch.Reply) {
	t.Helper()
	m := opened(t, `{"url": "https://hooks.example.com"}`, map[string]dispatch.Secret{"signingSecret": secret, "inboundSecret": inbound})
	return m.(dispatch.Receiver).Receive(t.Context(), dispatch.Inbound{Method: http.MethodPost, Header: header, Body: []byte(body)})
}

// TestCallback: what a receiver says of a ticket becomes a change with its id,
// its time and who did it.
func TestCallback(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Second)
	for _, row := range []struct {
		name, body string
		want       dispatch.StatusChange
	}{
		{"by our id", `{"ticketId": "tkt_1", "status": "ACKNOWLEDGED", "by": "jdoe", "comment": " on it "}`, dispatch.StatusChange{
			Names: []string{"tkt_1"}, TicketIDs: []string{"tkt_1"}, Status: dispatch.TicketAcknowledged, Word: "ACKNOWLEDGED", By: "jdoe", Text: "jdoe: on it",
		}},
		{"by their id", `{"externalId": "INC-7", "status": "resolved", "more": [1]}`, dispatch.StatusChange{
			Names: []string{"INC-7"}, Status: dispatch.TicketClosed, Word: "resolved", By: "the receiver",
		}},
		{"lower case", `{"ticketId": "tkt_1", "status": "open"}`, dispatch.StatusChange{
			Names: []string{"tkt_1"}, TicketIDs: []string{"tkt_1"}, Status: dispatch.TicketOpen, Word: "open", By: "the receiver",
		}},
		{"comment alone", `{"ticketId": "tkt_1", "comment": "asked the user"}`, dispatch.StatusChange{
			Names: []string{"tkt_1"}, TicketIDs: []string{"tkt_1"}, By: "the receiver", Text: "the receiver: asked the user",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			changes, reply := taken(t, receiver.Callback{Secret: inboundSecret, ID: "msg_1", At: at, Body: row.body})
			row.want.EventID, row.want.At = "msg_1", at
			if diff := cmp.Diff([]dispatch.StatusChange{row.want}, changes); diff != "" || reply.Status != http.StatusAccepted {
				t.Errorf("reply %+v, changes (-want +got):\n%s", reply, diff)
			}
		})
	}
}

// TestSameCallbackTwice: a repeat has the same event id, by which it is known; a
// replay after five minutes is not authentic any more.
func TestSameCallbackTwice(t *testing.T) {
	c := receiver.Callback{Secret: inboundSecret, ID: "msg_9", Body: `{"ticketId": "tkt_1", "status": "CLOSED"}`}
	first, _ := taken(t, c)
	second, reply := taken(t, c)
	if len(first) != 1 || len(second) != 1 || first[0].EventID != second[0].EventID || reply.Status != http.StatusAccepted {
		t.Errorf("first %+v, second %+v, reply %+v", first, second, reply)
	}
	c.At = time.Now().Add(-6 * time.Minute)
	if late, reply := taken(t, c); late != nil || reply.Status != http.StatusUnauthorized {
		t.Errorf("a replay brings %+v, reply %+v", late, reply)
	}
}

// TestUnauthentic: nothing is taken from who does not know the inbound secret.
func TestUnauthentic(t *testing.T) {
	const body = `{"ticketId": "tkt_1", "status": "CLOSED"}`
	good := receiver.Callback{Secret: inboundSecret, ID: "msg_1", Body: body}
	with := func(change func(*receiver.Callback)) http.Header {
		c := good
		change(&c)
		h, err := c.Sign()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	edited := func(name, value string) http.Header {
		h := with(func(*receiver.Callback) {})
		h.Set(name, value)
		return h
	}
	for name, row := range map[string]struct {
		inbound dispatch.Secret
		header  http.Header
		body    string
	}{
		"no secret configured":    {"", with(func(*receiver.Callback) {}), body},
		"secret of what goes out": {inboundSecret, with(func(c *receiver.Callback) { c.Secret = secret }), body},
		"old":                     {inboundSecret, with(func(c *receiver.Callback) { c.At = time.Now().Add(-301 * time.Second) }), body},
		"from the future":         {inboundSecret, with(func(c *receiver.Callback) { c.At = time.Now().Add(310 * time.Second) }), body},
		"another body":            {inboundSecret, with(func(*receiver.Callback) {}), strings.Replace(body, "tkt_1", "tkt_2", 1)},
		"another id":              {inboundSecret, edited("webhook-id", "msg_2"), body},
		"no id":                   {inboundSecret, edited("webhook-id", ""), body},
		"another time":            {inboundSecret, edited("webhook-timestamp", "1"), body},
		"no time":                 {inboundSecret, edited("webhook-timestamp", "now"), body},
		"no signature":            {inboundSecret, edited("webhook-signature", ""), body},
		"empty signature":         {inboundSecret, edited("webhook-signature", "v1,"), body},
		"unknown scheme":          {inboundSecret, edited("webhook-signature", "v2,AAAA"), body},
		"nothing at all":          {inboundSecret, http.Header{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changes, reply := received(t, row.inbound, row.header, row.body)
			if reply.Status != http.StatusUnauthorized || changes != nil {
				t.Errorf("reply %+v, changes %+v", reply, changes)
			}
		})
	}
}

// TestManySignatures: one good signature among others is enough, as while the
// sender changes its secret.
func TestManySignatures(t *testing.T) {
	c := receiver.Callback{Secret: inboundSecret, Body: `{"ticketId": "tkt_1", "status": "CLOSED"}`}
	header, err := c.Sign()
	if err != nil {
		t.Fatal(err)
	}
	header.Set("webhook-signature", "v1a,AAAA v1,AAAA "+header.Get("webhook-signature"))
	if changes, reply := received(t, inboundSecret, header, c.Body); len(changes) != 1 || reply.Status != http.StatusAccepted {
		t.Errorf("reply %+v, changes %+v", reply, changes)
	}
}

// TestBadCallback: the sender is told which field cannot be used, and nothing changes.
func TestBadCallback(t *testing.T) {
	long := strings.Repeat("x", 201)
	for _, row := range []struct{ name, id, body, field string }{
		{"no JSON", "msg_1", `status=CLOSED`, "body"},
		{"a list", "msg_1", `[]`, "body"},
		{"a number", "msg_1", `{"ticketId": 7, "status": "CLOSED"}`, "ticketId"},
		{"no ticket", "msg_1", `{"status": "CLOSED"}`, "ticketId"},
		{"no status", "msg_1", `{"ticketId": "tkt_1"}`, "status"},
		{"unknown status", "msg_1", `{"ticketId": "tkt_1", "status": "snoozed"}`, "status"},
		{"long name", "msg_1", `{"externalId": "` + long + `", "status": "CLOSED"}`, "externalId"},
		{"long id", long, `{"ticketId": "tkt_1", "status": "CLOSED"}`, "webhook-id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			changes, reply := taken(t, receiver.Callback{Secret: inboundSecret, ID: row.id, Body: row.body})
			if reply.Status != http.StatusBadRequest || reply.Type != "application/json" || !strings.Contains(reply.Body, `"field":"`+row.field+`"`) || changes != nil {
				t.Errorf("reply %+v, changes %+v; want the field %s", reply, changes, row.field)
			}
		})
	}
}
