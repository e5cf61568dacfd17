// Package servicenow makes records in tables of a ServiceNow instance, incidents
// above all, and keeps ticket and record the same: it writes the status there,
// asks what was done there, and takes what a business rule sends. It makes no
// business rule: an administrator of the instance does that by the setup help.
//
// The API is the Table API as ServiceNow's documentation and public clients of it
// describe it.
package servicenow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/dispatch"
)

// Kind is ServiceNow on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "servicenow", Title: "ServiceNow",
		Description: "Makes incidents, or records of another table, in a ServiceNow instance, and keeps ticket and record the same. " +
			"Built from public documentation and clients of the Table API, and not run against a live instance.",
		SetupHelp: setupHelp,
		Settings:  &Settings{PollTable: tableIncident},
		ConfigSettings: &ConfigSettings{
			Table: tableIncident, ShortDescription: "{{.Alert.Summary}}", Description: "{{.Alert.Description}}\n\n{{.Ticket.Number}} {{.Ticket.URL}}\n{{.Alert.Link}}",
			Urgency:   map[string]string{"CRITICAL": "1", "HIGH": "1", "MEDIUM": "2", "LOW": "3", "INFO": "3"},
			Impact:    map[string]string{"CRITICAL": "1", "HIGH": "2", "MEDIUM": "2", "LOW": "2", "INFO": "3"},
			CloseCode: "Solution provided", CloseNotes: "Closed with ticket {{.Ticket.Number}} of Tocsin. {{.Ticket.URL}}",
			Updates: true, WorkNotes: true,
		},
		DefaultName:  "ServiceNow-Default",
		Capabilities: []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanReceive, dispatch.CanPoll},
		PollEvery:    time.Minute,
		Idempotent:   true, // a repeat looks for the record of its delivery before it makes one
		AtOnce:       8,    // an instance works on few calls of its API at once and refuses what waits behind them
		Reads:        reads,
		Open:         open,
	}
}

const setupHelp = `1. Make a user for this server with **Web service access only** and the role *itil* (for security incidents *sn_si.analyst*), and give it the time zone **GMT**. It needs to read and write the table, and to read *sys_user*; where it may also read *sys_journal_field*, a refresh tells the last work note and a note is never written twice.
2. Give its user id and password. For OAuth make an endpoint for external clients in **Application Registry** and give its client id and secret, too; without a password, the client's own credentials are used where the instance allows that grant.
3. Choose **closeCode** out of the resolution codes of your instance: most of them refuse to resolve without one.

What changes there is asked for each minute. To hear of it at once, generate a secret (` + "`echo whsec_$(openssl rand -base64 32)`" + `), give it as **webhookSecret**, and let an administrator make an *async* business rule on the table, after update, with the condition *Correlation display is Tocsin* and *State changes*:

    var body = JSON.stringify({table: current.getTableName(), sys_id: current.getUniqueValue(), number: current.getValue('number'),
      state: current.getValue('state'), sys_updated_on: current.getValue('sys_updated_on'), sys_updated_by: current.getValue('sys_updated_by'),
      sys_mod_count: current.getValue('sys_mod_count'), operation: current.operation()});
    var id = gs.generateGUID(), at = String(Math.floor(new Date().getTime() / 1000));
    var key = gs.getProperty('tocsin.secret'); // the secret without whsec_
    var r = new sn_ws.RESTMessageV2();
    r.setEndpoint(gs.getProperty('tocsin.inbound')); // the actor's inbound address
    r.setHttpMethod('post');
    r.setRequestHeader('Content-Type', 'application/json');
    r.setRequestHeader('webhook-id', id);
    r.setRequestHeader('webhook-timestamp', at);
    r.setRequestHeader('webhook-signature', 'v1,' + new GlideCertificateEncryption().generateMac(key, 'HmacSHA256', id + '.' + at + '.' + body));
    r.setRequestBody(body);
    r.execute();

States of *incident* and *sn_si_incident* are known, and those of *task* are taken for other tables; one that is not known is shown and changes no status. This was built from public documentation and was not run against a live instance: the numbers of the states of *sn_si_incident* and the script above are the parts to look at first.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	base     string
	login    *login
	inbound  []byte // the key that signs what comes in; nil when there is none
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open servicenow: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	key, err := s.inboundKey()
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(s.URL, "/")
	return &messenger{world: w, settings: s, base: base, login: newLogin(w.HTTP, s, base), inbound: key}, nil
}

// Test logs in, reads the table that is asked each minute, and looks up its own
// user where it has a name.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	_, out := m.find(ctx, m.settings.PollTable, "ORDERBY"+columnID, 1, 0)
	who := "the OAuth client"
	if out.Kind() == dispatch.OutcomeDelivered && m.settings.Username != "" {
		who = m.settings.Username
		out = m.lookUp(ctx)
	}
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	kept := out.Exchange()
	kept.Response = "Logged in as " + who + "; " + m.settings.PollTable + " can be read. Nothing was changed."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

// lookUp finds the own user.
func (m *messenger) lookUp(ctx context.Context) dispatch.Outcome {
	q := parameters([]string{columnID, "user_name"})
	q.Set("sysparm_query", "user_name="+m.settings.Username)
	q.Set("sysparm_limit", "1")
	var users []map[string]cell
	_, out := m.send(ctx, request{method: http.MethodGet, table: "sys_user", query: q}, &users)
	if out.Kind() == dispatch.OutcomeDelivered && (len(users) != 1 || !m.login.isOwn(users[0]["user_name"].value)) {
		return dispatch.Misconfigured(errors.New("settings.username is no user that can be seen there; give the user id of the user, and let it read sys_user")).Over(out.Exchange())
	}
	return out
}
