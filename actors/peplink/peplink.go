// Package peplink asks InControl 2, Peplink's cloud or appliance that manages
// routers, about the client that an alert names, and where its operator allows
// it blocks the client by a MAC access list or reboots one device. It talks to
// no router itself, and InControl tells it nothing of its own accord.
//
// The vendor's reference could not be read; paths and fields are those of
// public clients. What they do not show is marked beside it as inferred.
package peplink

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// cloud is the vendor's own InControl. Source:
// forum.peplink.com/t/api-beginning-to-use/8238.
const cloud = "https://api.ic.peplink.com"

// Kind is Peplink on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "peplink", Title: "Peplink InControl 2",
		Description: "Puts what InControl 2 knows of a client on the ticket, and blocks the client or reboots a device where that is allowed. " +
			"Its write actions were built from public clients of the API and have never been run against a real system.",
		SetupHelp:      setupHelp,
		Settings:       &Settings{URL: cloud},
		ConfigSettings: &ConfigSettings{Operation: opEnrich, Client: "{{.Alert.Key}}", EventLines: 10},
		DefaultName:    "Peplink-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanEnrich},
		AtOnce:         4, // an operation is several calls, and an organization takes twenty a second
		Reads:          reads,
		Open:           open,
	}
}

const setupHelp = `1. In InControl 2 make a user of its own with the smallest role that will do, for a token acts as its user. In that user's account page, under **Client Applications**, make a client and copy its **id** and **secret**; or make an **API token** there.
2. The **organization** is the text after ` + "`/o/`" + ` in InControl's address.
3. For *block*, make a MAC access list, set it as deny list of the SSIDs once, and give its id to the API config; turn **allow block** on. It blocks Wi-Fi clients only. The client is taken off when the ticket is closed, unless it was on the list before. Use one actor for each organization: two that write the same list can overwrite each other.
4. For *reboot*, turn **allow reboot** on. Each ticket reboots its device once, and a reboot whose answer is lost is not repeated: it fails, and you look whether it happened.

A test message of an API config finds the client, the list or the device, and changes nothing. The write actions (block and reboot) were built from public clients of the API and have never been run against a real system: try them on a device that may fail.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	login    *login
	turns    *turns
	lists    *writers
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open peplink: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{world: w, settings: s, login: newLogin(w, s), turns: newTurns(), lists: &writers{}}, nil
}

// Deliver does the operation of an API config.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	given, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Peplink", p.Settings))
	}
	s := given.trimmed()
	switch s.Operation {
	case opEnrich:
		return m.enrich(ctx, s)
	case opBlock:
		return m.block(ctx, s, p)
	case opReboot:
		return m.reboot(ctx, s, p)
	default:
		return dispatch.Refused(fmt.Errorf("settings.operation %q is none; give enrich, block or reboot", s.Operation))
	}
}

// reads tells of the requests that change nothing: to get, and to log in.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/api/oauth2/token")
}

// Sketch finds what a delivery would be about and says what would be done.
func (m *messenger) Sketch(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	p.Test = true
	return m.Deliver(ctx, p)
}

// Test logs in and looks for the organization among those that the user sees.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	var list []struct {
		ID   string
		Name string
	}
	out := m.ask(ctx, "/rest/o", &list)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	var names []string
	for _, o := range list {
		names = append(names, fmt.Sprintf("%s (%s)", o.ID, line(o.Name)))
	}
	kept := out.Exchange()
	i := slices.IndexFunc(list, func(o struct{ ID, Name string }) bool { return o.ID == m.settings.Organization })
	if i < 0 {
		return dispatch.Misconfigured(fmt.Errorf("settings.organization is none that this user sees; there are %s", some(names))).Over(kept)
	}
	kept.Response = "Logged in; the organization is " + line(list[i].Name) + ". Nothing was changed."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

// line is a text of the vendor on one line, and not too long.
func line(text string) string {
	return dispatch.Cut(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "), 300)
}

// some are the first of a list of names.
func some(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > 10:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:10], ", "), len(names)-10)
	default:
		return strings.Join(names, ", ")
	}
}

// number is an id of InControl, which is a number in all answers that are known.
type number = json.Number

// secrets are the texts that the record of a call must not hold.
func (s *Settings) secrets(token string) call.Mask {
	return call.Hide(string(s.ClientSecret), string(s.Token), token)
}
