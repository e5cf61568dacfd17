package webhook

import (
	"net/http"
	"testing"

	"tocsin/dispatch"
	receiver "tocsin/fake/webhook"
)

// FuzzReceive: whatever a signed body holds, it is a change of one ticket by its
// name, or nothing at all.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`{"ticketId": "tkt_1", "status": "CLOSED"}`, `{"externalId": "7", "comment": " "}`, `[]`, `null`, `{"status": null}`, "",
	} {
		f.Add(seed)
	}
	key, err := sharedKey("inboundSecret", inboundSecret)
	if err != nil {
		f.Fatal(err)
	}
	m := &messenger{inbound: key}
	f.Fuzz(func(t *testing.T, body string) {
		header, err := receiver.Callback{Secret: inboundSecret, Body: body}.Sign()
		if err != nil {
			t.Fatal(err)
		}
		changes, reply := m.Receive(t.Context(), dispatch.Inbound{Method: http.MethodPost, Header: header, Body: []byte(body)})
		switch reply.Status {
		case http.StatusAccepted:
			if len(changes) != 1 || len(changes[0].Names) == 0 || changes[0].EventID == "" || (changes[0].Status == "" && changes[0].Text == "") {
				t.Errorf("taken as %+v", changes)
			}
		case http.StatusBadRequest:
			if changes != nil {
				t.Errorf("refused with %+v", changes)
			}
		default:
			t.Errorf("answered %d", reply.Status)
		}
	})
}
