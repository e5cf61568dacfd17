// Package actors is the notice board: the list of what this build can talk to.
// It holds no code of a kind; each has a folder below that imports neither
// another kind nor the server.
//
// To add an actor:
//
//  1. Make a folder named as the API will name the type, such as actors/opsgenie.
//  2. In opsgenie.go write Kind, an exported function that returns the
//     dispatch.Kind; Settings and ConfigSettings, structs whose tags
//     dispatch.Schema explains; an open function that checks what tags cannot
//     say; and Deliver, which ends every path in a dispatch.Outcome. Call the
//     outside through actors/internal/call with the World's client. Beside the
//     vendor's limits and retry rules write the address of the page they are from.
//  3. In opsgenie_test.go let it sit the exam (exam.Sit), and compare the
//     request it sends with a golden file in testdata/.
//  4. Hang it on the board: one line in All, at the place where users look for it.
//
// Nothing else is needed: no schema, no migration, no switch. A service that
// takes an alert as one HTTP request is shorter still: it says only what is
// particular to it, and actors/internal/preset does the rest; actors/gotify is
// the smallest.
package actors

import (
	"tocsin/actors/discord"
	"tocsin/actors/email"
	"tocsin/actors/googlechat"
	"tocsin/actors/gotify"
	"tocsin/actors/jira"
	"tocsin/actors/matrix"
	"tocsin/actors/mattermost"
	"tocsin/actors/notification"
	"tocsin/actors/ntfy"
	"tocsin/actors/pagerduty"
	"tocsin/actors/peplink"
	"tocsin/actors/pushover"
	"tocsin/actors/rocketchat"
	"tocsin/actors/sentinelone"
	"tocsin/actors/servicenow"
	"tocsin/actors/slack"
	"tocsin/actors/teams"
	"tocsin/actors/telegram"
	"tocsin/actors/twilio"
	"tocsin/actors/webhook"
	"tocsin/actors/zulip"
	"tocsin/dispatch"
)

// All are the kinds that this build offers, in the order that users see.
func All() []dispatch.Kind {
	return []dispatch.Kind{
		notification.Kind(),
		email.Kind(),
		slack.Kind(),
		pagerduty.Kind(),
		jira.Kind(),
		servicenow.Kind(),
		sentinelone.Kind(),
		peplink.Kind(),
		webhook.Kind(),
		discord.Kind(),
		googlechat.Kind(),
		gotify.Kind(),
		matrix.Kind(),
		mattermost.Kind(),
		ntfy.Kind(),
		pushover.Kind(),
		rocketchat.Kind(),
		teams.Kind(),
		telegram.Kind(),
		twilio.Kind(),
		zulip.Kind(),
	}
}
