// Package jira makes an issue of each ticket in a project of Jira Cloud, comments
// on it when further alerts come, moves it through its workflow as the ticket
// moves, and takes in what people do with it, by webhooks and by asking. It
// manages no projects, workflows or users, and moves no issue by more than one
// transition.
//
// Limits and answers are those of developer.atlassian.com, "The Jira Cloud
// platform REST API" v3 and "Webhooks", as of 2026.
package jira

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is Jira on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "jira", Title: "Jira",
		Description: "Makes a Jira Cloud issue of each ticket, and keeps the status of ticket and issue the same. " +
			"Built from Atlassian's documentation and public clients of the REST API v3, and not run against a live site; Data Center, which has no v3, is not served.",
		SetupHelp:      setupHelp,
		Settings:       &Settings{},
		ConfigSettings: &ConfigSettings{IssueType: "Task", Summary: "{{.Alert.Summary}}", Description: "{{.Alert.Description}}", Comments: true},
		DefaultName:    "Jira-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanReceive, dispatch.CanPoll},
		PollEvery:      time.Minute,
		AtOnce:         8, // Jira limits an account by the cost of its calls
		Reads:          func(r *http.Request) bool { return r.Method == http.MethodGet },
		Open:           open,
	}
}

const setupHelp = `1. Make an Atlassian account for this server, or use one, and let it *Browse projects, Create issues, Add comments, Transition issues* and *Resolve issues* in the project.
2. As that account open **id.atlassian.com**, **Security**, **API tokens**, **Create API token**. Give the account's email and the token. It ends on the day that you chose; from then on the actor is paused until it has a new one.
3. The address is that of the site, such as ` + "`https://example.atlassian.net`" + `. A token with scopes is taken at ` + "`https://api.atlassian.com/ex/jira/CLOUD-ID`" + ` instead: give that as url and the site's own address as siteUrl. A bearer token of OAuth 2.0 is given as apiToken, without an email.

Jira is asked each minute for what has changed. To hear at once:

1. As an administrator open **System**, **WebHooks**, **Create a WebHook**.
2. Give this actor's inboundUrl as **URL**, press **Generate secret** and copy it as webhookSecret; while one secret replaces another, give both with a space between them. Only such admin webhooks are signed; those of apps are answered 401.
3. Under *Issue related events* give the JQL ` + "`labels = tocsin`" + ` and select *Issue: updated, deleted*.

With the token of an administrator installActorWebhook does these steps.

Tickets and issues meet by the category of a status: *To Do* is OPEN, *In Progress* is ACKNOWLEDGED, *Done* is CLOSED. The workflow needs a transition to each of them; transitions names the one to take where there are several. Each issue has the label tocsin and one of its own, by which it is found again: leave both. Jira's search knows a new issue only after a while, so an issue whose making was not answered is looked for half a minute before it is made again.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	mask     call.Mask

	mu     sync.Mutex
	own    string               // the id of the account; "" until it is known
	doubts map[string]time.Time // deliveries looked for in vain, and since when
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open jira: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{world: w, settings: s, mask: s.mask(), doubts: map[string]time.Time{}}, nil
}

// Deliver makes an issue, or comments on the one that the ticket has. What may
// have been done by an earlier attempt is looked for first. A test message makes
// an issue of its own.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Jira", p.Settings))
	}
	if err := s.check(); err != nil {
		return dispatch.Refused(err)
	}
	if p.Link != nil && idForm.MatchString(p.Link.ExternalID) {
		if out := m.follow(ctx, s, p); !out.IsGone() {
			return out
		}
	}
	if p.Attempt > 1 {
		found, out := m.find(ctx, p.DeliveryID)
		if found != nil || out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
	}
	return m.create(ctx, s, p)
}

// Resolve looks for what an attempt may have made. A search knows an issue only
// after a while, so the first answers that there is none are not believed.
func (m *messenger) Resolve(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	if p.Link != nil && idForm.MatchString(p.Link.ExternalID) {
		out, found := m.commented(ctx, p)
		if found || out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
		return dispatch.Refused(fmt.Errorf("the comment is not on the issue: it did not arrive")).Over(out.Exchange())
	}
	found, out := m.find(ctx, p.DeliveryID)
	if found != nil || out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if wait := m.doubt(p.DeliveryID, time.Now()); wait > 0 {
		return dispatch.Deferred(fmt.Errorf("no search finds the issue, which may be too new for it")).After(wait).Over(out.Exchange())
	}
	return dispatch.Refused(fmt.Errorf("no search finds the issue: it was not made")).Over(out.Exchange())
}

// indexing is how long a search may not know an issue. Atlassian promises no
// time; seconds have been seen.
const indexing = 30 * time.Second

// doubt is how long a delivery must still be looked for; 0 ends it.
func (m *messenger) doubt(delivery string, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, ok := m.doubts[delivery]
	if !ok {
		since = now
		m.doubts[delivery] = now
	}
	left := since.Add(indexing).Sub(now)
	if left <= 0 {
		delete(m.doubts, delivery)
		return 0
	}
	return left
}

// Test logs in.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	me, out := m.myself(ctx)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	kept := out.Exchange()
	kept.Response = "Logged in as " + cmp.Or(me.DisplayName, me.AccountID) + ". No issue was made."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

// user is an account as Jira tells it.
type user struct {
	AccountID   string `json:"accountId"`
	DisplayName string `json:"displayName"`
}

// myself is the account that calls. It is the one question that nobody but a
// known account is answered.
func (m *messenger) myself(ctx context.Context) (user, dispatch.Outcome) {
	var me user
	out := m.ask(ctx, request{method: http.MethodGet, path: "/rest/api/3/myself"}, &me)
	if out.Kind() != dispatch.OutcomeDelivered {
		return me, out
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own = me.AccountID
	return me, out
}
