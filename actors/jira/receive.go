package jira

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tocsin/dispatch"
)

// Headers of a webhook. The identifier is the same when it is sent again.
// Source: developer.atlassian.com, "Webhooks".
const (
	signatureHeader  = "X-Hub-Signature"
	identifierHeader = "X-Atlassian-Webhook-Identifier"
)

// The events that are looked at; all others are taken and dropped. That an issue
// was made is no news: it was made by us, or is none of ours.
const (
	eventUpdated = "jira:issue_updated"
	eventDeleted = "jira:issue_deleted"
)

// patience is for the question who we are; Jira waits longer for its answer.
const patience = 3 * time.Second

// webhook is an event of Jira's, as far as it is looked at.
type webhook struct {
	Event     string `json:"webhookEvent"`
	Timestamp int64  `json:"timestamp"` // in milliseconds
	User      user   `json:"user"`
	Issue     issue  `json:"issue"`
	Changelog struct {
		ID    string `json:"id"`
		Items []struct {
			Field   string `json:"field"`
			FieldID string `json:"fieldId"`
		} `json:"items"`
	} `json:"changelog"`
}

// Receive takes a webhook in. All that is authentic is answered 202, about an
// issue of ours or not.
func (m *messenger) Receive(ctx context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	if !m.isAuthentic(r) {
		return nil, dispatch.Reply{Status: http.StatusUnauthorized, Body: "the webhook is not signed with one of this actor's webhook secrets\n"}
	}
	var w webhook
	if json.Unmarshal(r.Body, &w) != nil || !idForm.MatchString(w.Issue.ID) {
		return nil, dispatch.Reply{}
	}
	c := dispatch.StatusChange{EventID: r.Header.Get(identifierHeader), At: w.at(), Names: []string{w.Issue.ID}}
	switch {
	case w.Event == eventDeleted:
		c.Gone, c.Text = true, "the issue was deleted"
		if who := w.User.name(); who != "" {
			c.Text += " by " + who
		}
	case w.Event == eventUpdated && w.isMove() && w.Issue.Fields.Status.shows() != "":
		ref := m.ref(&w.Issue)
		c.Status, c.Word, c.Also, c.URL, c.By = ref.Shows, ref.Word, ref.Also, ref.URL, m.by(ctx, w.User)
	default:
		return nil, dispatch.Reply{}
	}
	return []dispatch.StatusChange{c}, dispatch.Reply{}
}

// isAuthentic tells whether a webhook is signed with one of the secrets: an HMAC
// of the body as it came. Without a secret none is.
func (m *messenger) isAuthentic(r dispatch.Inbound) bool {
	text, ok := strings.CutPrefix(r.Header.Get(signatureHeader), "sha256=")
	signature, err := hex.DecodeString(text)
	if !ok || err != nil {
		return false
	}
	isOurs := false
	for _, secret := range m.settings.webhookSecrets() { // none of them is empty
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write(r.Body) // a hash takes everything
		if hmac.Equal(signature, mac.Sum(nil)) {
			isOurs = true
		}
	}
	return isOurs
}

// isMove tells whether the status was changed, among other things or alone.
func (w webhook) isMove() bool {
	for _, item := range w.Changelog.Items {
		if item.Field == "status" || item.FieldID == "status" {
			return true
		}
	}
	return false
}

// at is when the issue was changed, by the same clock as the answers to our
// questions: the event itself is stamped a little later, and what is asked after
// it would seem to be older. Zero when neither is told.
func (w webhook) at() time.Time {
	if at := w.Issue.Fields.Updated.Time; !at.IsZero() {
		return at.UTC()
	}
	if w.Timestamp <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(w.Timestamp).UTC()
}

func (u user) name() string { return cmp.Or(strings.TrimSpace(u.DisplayName), u.AccountID) }

// by is who did it; "" for our own account. A person may use the same account,
// so that its doing is not called an echo here: the hub knows what it wrote.
func (m *messenger) by(ctx context.Context, u user) string {
	if u.AccountID != "" && u.AccountID == m.account(ctx) {
		return ""
	}
	return u.name()
}

// account is the id of our own account, asked for once; "" when that fails.
func (m *messenger) account(ctx context.Context) string {
	m.mu.Lock()
	own := m.own
	m.mu.Unlock()
	if own != "" {
		return own
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	me, out := m.myself(ctx)
	if out.Kind() != dispatch.OutcomeDelivered {
		m.world.Log.WarnContext(ctx, "the account of a Jira actor is not known", "error", out.Err())
	}
	return me.AccountID
}
