// Package sentinelone works on the threats, Unified Alerts and hosts of a
// SentinelOne console: it notes, links, closes and isolates as an API config
// says, carries the status of tickets there and asks what was done there. It
// makes no threats: the console lets nobody do that from outside.
//
// The API is the Web API v2.1 as public clients of it and its Swagger reference
// describe it.
package sentinelone

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is SentinelOne on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "sentinelone", Title: "SentinelOne",
		Description: "Notes, links, closes, mitigates and isolates in a SentinelOne console, and keeps ticket and threat the same. " +
			"Built from public references and clients of the API, and not run against a live console.",
		SetupHelp: setupHelp,
		Settings:  &Settings{},
		ConfigSettings: &ConfigSettings{
			TargetKind: targetThreat, Target: "{{.Alert.Attributes.threatId}}",
			Note: "{{.Ticket.Number}} {{.Alert.Summary}}\n{{.Ticket.URL}}", Updates: true,
		},
		DefaultName:  "SentinelOne-Default",
		Capabilities: []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanPoll, dispatch.CanEnrich},
		PollEvery:    time.Minute,
		Idempotent:   true, // a repeat looks for its note, and sets what is set; a scan that is asked for twice is one scan longer
		AtOnce:       16,   // the list of threats takes ten calls a second
		Reads:        func(r *http.Request) bool { return r.Method == http.MethodGet },
		Open:         open,
	}
}

const setupHelp = `1. In the console open **Settings**, **Users**, **Service Users**, **Actions**, **Create New Service User**, and give it a role and the account or sites that it may see.
2. Copy the **API token** that is shown once. It ends on the day that you chose; from then on the actor is paused until it has a new one.
3. The role needs *Threats: View, Update incident status, Update analyst verdict* and *Update external ticket ID*. For hosts it needs *Endpoints: View*, and *Disconnect from network, Reconnect to network* or *Initiate scan*; for threats *Kill, Quarantine, Remediate* or *Rollback*; for hashes *Blocklist*. For Unified Alerts it needs *Unified Alerts: Manage*.

An API config says what its target is and where the alert names it. Isolate, mitigate and block_hash are done only when **dangerous** is on, and only for exactly one host or threat; a test message of an API config finds the target, says what would be done and does nothing.

SentinelOne tells nobody of changes, so it is asked each minute. This was built from public references and clients of the API and was not run against a live console; the permission names of block_hash and the console link are taken from public clients.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	mask     call.Mask
	lanes    *lanes
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open sentinelone: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{world: w, settings: s, mask: call.Hide(string(s.APIToken)), lanes: newLanes()}, nil
}

// Deliver does the operations of an API config, in their order. The one that
// fails ends it; a repeat passes over what is done.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of SentinelOne", p.Settings))
	}
	if err := m.settings.allow(s); err != nil {
		return dispatch.Refused(err)
	}
	w := &work{messenger: m, config: s, parcel: p, target: strings.TrimSpace(s.Target)}
	return w.deliver(ctx)
}

// Sketch finds the target and says what would be done to it.
func (m *messenger) Sketch(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	p.Test = true
	return m.Deliver(ctx, p)
}

// Test logs in. It asks nothing of system/status, which answers without a token.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	var info struct {
		Data struct{ Version string }
	}
	if out := m.ask(ctx, "/system/info", nil, "", &info); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	out := m.ask(ctx, "/users/viewer-auth-check", nil, "", nil)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	kept := out.Exchange()
	kept.Response = "Logged in; the console has version " + info.Data.Version + ". Nothing was changed."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}
