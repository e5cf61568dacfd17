package db

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// ms is a moment as the books keep it.
func ms(t time.Time) int64 { return t.UnixMilli() }

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func maybeMS(t *time.Time) *int64 { return maybe(t, ms) }

func maybeMoment(ms *int64) *time.Time { return maybe(ms, moment) }

// maybe converts what is behind a pointer; nil stays nil.
func maybe[A, B any](a *A, convert func(A) B) *B {
	if a == nil {
		return nil
	}
	b := convert(*a)
	return &b
}

func wide(n int) int64 { return int64(n) }

func narrow(n int64) int { return int(n) }

func text[T ~string](t T) string { return string(t) }

func word[T ~string](s string) T { return T(s) }

func severity(rank int64) dispatch.Severity {
	if rank < 0 || rank >= int64(len(dispatch.Severities)) {
		return ""
	}
	return dispatch.Severities[rank]
}

func rank(s dispatch.Severity) int64 { return int64(s.Rank()) }

// rawJSON is null for nil.
func rawJSON(j dispatch.JSON) *string {
	if j == nil {
		return nil
	}
	s := string(j)
	return &s
}

func maybeJSON(s *string) dispatch.JSON {
	if s == nil {
		return nil
	}
	return dispatch.JSON(*s)
}

// encode writes a value that always can be written as JSON: texts, numbers,
// lists and maps of them.
func encode(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return "null"
	}
	return string(raw)
}

// decode reads what encode wrote.
func decode[T any](what, raw string) (T, error) {
	var value T
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		return value, fmt.Errorf("read %s: %w", what, err)
	}
	return value, nil
}

// listed is a list as it is kept; null when it is empty.
func listed(all []string) *string {
	if len(all) == 0 {
		return nil
	}
	raw := clean(encode(all))
	return &raw
}

func maybeList(what string, raw *string) ([]string, error) {
	if raw == nil {
		return nil, nil
	}
	return decode[[]string](what, *raw)
}

// origin is how dispatch.Origin is kept.
type origin struct {
	Kind    dispatch.OriginKind `json:"kind"`
	Name    string              `json:"name"`
	ActorID *string             `json:"actorId,omitempty"`
}

func encodeOrigin(o dispatch.Origin) string { return encode(origin(o)) }

func decodeOrigin(raw string) (dispatch.Origin, error) {
	if raw == "" { // the column was not read
		return dispatch.Origin{}, nil
	}
	o, err := decode[origin]("origin", raw)
	return dispatch.Origin(o), err
}

func maybeOrigin(raw *string) (*dispatch.Origin, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // no origin is what is stored
	}
	o, err := decodeOrigin(*raw)
	return &o, err
}

// maxWord is how many bytes of a word are searched: PostgreSQL takes 2046.
const maxWord = 2000

// searchable writes words for the search: each once, a space before each.
func searchable(words []string) string {
	short := make([]string, len(words))
	for i, w := range words {
		short[i] = shorten(w)
	}
	slices.Sort(short)
	var b strings.Builder
	for _, w := range slices.Compact(short) {
		b.WriteString(" " + w)
	}
	return b.String()
}

func shorten(word string) string {
	if len(word) <= maxWord {
		return word
	}
	end := maxWord
	for end > 0 && !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}

// clean makes a text from outside fit for both databases: valid UTF-8, no NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func alertRow(a dispatch.Alert) sqlc.Alert {
	return sqlc.Alert{
		ID: a.ID, BehaviorModel: a.BehaviorModel, Behavior: a.Behavior, EntityKey: a.Key, KeyType: a.KeyType,
		Severity: rank(a.Severity), RiskScore: maybe(a.RiskScore, wide), Risks: encode(a.Risks), Summary: a.Summary,
		Description: a.Description, Source: a.Source, Link: a.Link, Attributes: string(a.Attributes), Payload: rawJSON(a.Payload),
		DedupKey: a.DedupKey, OccurredAt: ms(a.OccurredAt), ReceivedAt: ms(a.ReceivedAt), RaisedBy: encodeOrigin(a.RaisedBy),
		TicketID: a.TicketID, Words: searchable(dispatch.AlertWords(a)),
	}
}

func alertOf(r sqlc.Alert) (a dispatch.Alert, err error) {
	var risks []string
	if r.Risks != "" { // else the column was not read
		if risks, err = decode[[]string]("risks", r.Risks); err != nil {
			return a, err
		}
	}
	by, err := decodeOrigin(r.RaisedBy)
	return dispatch.Alert{
		ID: r.ID, BehaviorModel: r.BehaviorModel, Behavior: r.Behavior, Key: r.EntityKey, KeyType: r.KeyType,
		Severity: severity(r.Severity), RiskScore: maybe(r.RiskScore, narrow), Risks: risks, Summary: r.Summary,
		Description: r.Description, Source: r.Source, Link: r.Link, Attributes: dispatch.JSON(r.Attributes), Payload: maybeJSON(r.Payload),
		DedupKey: r.DedupKey, OccurredAt: moment(r.OccurredAt), ReceivedAt: moment(r.ReceivedAt), RaisedBy: by,
		TicketID: r.TicketID,
	}, err
}

func ticketRow(t dispatch.Ticket, fired map[string]time.Time) sqlc.Ticket {
	moments := make(map[string]int64, len(fired))
	for id, at := range fired {
		moments[id] = ms(at)
	}
	return sqlc.Ticket{
		Number: wide(t.Number), ID: t.ID, Title: t.Title, Status: text(t.Status), Severity: rank(t.Severity),
		BehaviorModel: t.BehaviorModel, EntityKey: t.Key, KeyType: t.KeyType, RiskScore: maybe(t.RiskScore, wide),
		DedupKey: t.DedupKey, Assignee: t.Assignee, AlertCount: wide(t.AlertCount), LastAlertAt: maybeMS(t.LastAlertAt),
		OpenedAt: ms(t.OpenedAt), AcknowledgedAt: maybeMS(t.AcknowledgedAt), AcknowledgedBy: maybe(t.AcknowledgedBy, encodeOrigin),
		ClosedAt: maybeMS(t.ClosedAt), ClosedBy: maybe(t.ClosedBy, encodeOrigin), UpdatedAt: ms(t.UpdatedAt),
		Version: wide(t.Version), Fired: encode(moments), Words: searchable(dispatch.TicketWords(subject(t))),
	}
}

func ticketOf(r sqlc.Ticket) (dispatch.Ticket, error) {
	acknowledgedBy, err := maybeOrigin(r.AcknowledgedBy)
	if err != nil {
		return dispatch.Ticket{}, err
	}
	closedBy, err := maybeOrigin(r.ClosedBy)
	return dispatch.Ticket{
		ID: r.ID, Number: narrow(r.Number), Title: r.Title, Status: dispatch.TicketStatus(r.Status), Severity: severity(r.Severity),
		BehaviorModel: r.BehaviorModel, Key: r.EntityKey, KeyType: r.KeyType, RiskScore: maybe(r.RiskScore, narrow),
		DedupKey: r.DedupKey, Assignee: r.Assignee, AlertCount: narrow(r.AlertCount), LastAlertAt: maybeMoment(r.LastAlertAt),
		OpenedAt: moment(r.OpenedAt), AcknowledgedAt: maybeMoment(r.AcknowledgedAt), AcknowledgedBy: acknowledgedBy,
		ClosedAt: maybeMoment(r.ClosedAt), ClosedBy: closedBy, UpdatedAt: moment(r.UpdatedAt), Version: narrow(r.Version),
	}, err
}

func openTicketOf(r sqlc.Ticket) (dispatch.OpenTicket, error) {
	t, err := ticketOf(r)
	if err != nil {
		return dispatch.OpenTicket{}, err
	}
	moments, err := decode[map[string]int64]("fired", r.Fired)
	fired := make(map[string]time.Time, len(moments))
	for id, at := range moments {
		fired[id] = moment(at)
	}
	return dispatch.OpenTicket{Ticket: t, Fired: fired}, err
}

func subject(t dispatch.Ticket) dispatch.TicketSubject {
	return dispatch.TicketSubject{Title: t.Title, BehaviorModel: t.BehaviorModel, Key: t.Key, OpenedAt: t.OpenedAt}
}

func linkRow(l dispatch.TicketLink) sqlc.TicketLink {
	return sqlc.TicketLink{
		ID: l.ID, TicketID: l.TicketID, ActorID: l.ActorID, ActorName: l.ActorName, APIConfigID: l.APIConfigID,
		APIConfigName: l.APIConfigName, ExternalID: clean(l.ExternalID), ExternalURL: maybe(l.ExternalURL, clean),
		ExternalStatus: maybe(l.ExternalStatus, clean), State: text(l.State), LastError: maybe(l.LastError, clean),
		LastSyncedAt: maybeMS(l.LastSyncedAt), DeliveryID: l.DeliveryID, RefData: clean(encode(l.Data)), Seen: text(l.Seen),
		SaidAt: maybeMS(l.SaidAt), WroteAt: maybeMS(l.WroteAt), Echoes: encode(l.Echoes),
	}
}

func linkOf(r sqlc.TicketLink) (dispatch.TicketLink, error) {
	data, err := decode[map[string]string]("what the link keeps", r.RefData)
	if err != nil {
		return dispatch.TicketLink{}, err
	}
	echoes, err := decode[[]dispatch.Written]("the link's echoes", r.Echoes)
	return dispatch.TicketLink{
		ID: r.ID, TicketID: r.TicketID, ActorID: r.ActorID, ActorName: r.ActorName, APIConfigID: r.APIConfigID,
		APIConfigName: r.APIConfigName, ExternalID: r.ExternalID, ExternalURL: r.ExternalURL, ExternalStatus: r.ExternalStatus,
		State: dispatch.LinkState(r.State), LastError: r.LastError, LastSyncedAt: maybeMoment(r.LastSyncedAt),
		DeliveryID: r.DeliveryID, Data: data, Seen: dispatch.TicketStatus(r.Seen), SaidAt: maybeMoment(r.SaidAt),
		WroteAt: maybeMoment(r.WroteAt), Echoes: echoes,
	}, err
}

func deliveryRow(d dispatch.Delivery) sqlc.Delivery {
	return sqlc.Delivery{
		ID: d.ID, Kind: text(d.Kind), Status: text(d.Status), Reason: maybe(d.Reason, clean), ActionID: d.ActionID, ActionName: d.ActionName,
		APIConfigID: d.APIConfigID, APIConfigName: d.APIConfigName, APIConfigVersion: wide(d.APIConfigVersion),
		ActorID: d.ActorID, ActorName: d.ActorName, ActorKind: d.ActorKind, AlertID: d.AlertID, TicketID: d.TicketID,
		FallbackOf: d.FallbackOf, OrderKey: d.OrderKey(), Attempt: wide(d.Attempt), Trying: d.Trying.Milliseconds(),
		LeasedUntil: maybeMS(d.LeasedUntil), NextAttemptAt: maybeMS(d.NextAttemptAt), ExternalRef: maybe(d.ExternalRef, clean),
		ExternalURL: maybe(d.ExternalURL, clean), Rendered: rawJSON(d.Rendered), CreatedAt: ms(d.CreatedAt), FinishedAt: maybeMS(d.FinishedAt), LinkID: d.LinkID,
		AlertChange: maybe(rawJSON(d.AlertChange), clean),
	}
}

func deliveryOf(r sqlc.Delivery) (dispatch.Delivery, error) {
	return dispatch.Delivery{
		ID: r.ID, Kind: dispatch.DeliveryKind(r.Kind), Status: dispatch.DeliveryStatus(r.Status), Reason: r.Reason,
		ActionID: r.ActionID, ActionName: r.ActionName, APIConfigID: r.APIConfigID, APIConfigName: r.APIConfigName,
		APIConfigVersion: narrow(r.APIConfigVersion), ActorID: r.ActorID, ActorName: r.ActorName, ActorKind: r.ActorKind,
		AlertID: r.AlertID, TicketID: r.TicketID, FallbackOf: r.FallbackOf, Attempt: narrow(r.Attempt),
		Trying: time.Duration(r.Trying) * time.Millisecond, LeasedUntil: maybeMoment(r.LeasedUntil),
		NextAttemptAt: maybeMoment(dueAt(r)), ExternalRef: r.ExternalRef, ExternalURL: r.ExternalURL,
		Rendered: maybeJSON(r.Rendered), CreatedAt: moment(r.CreatedAt), FinishedAt: maybeMoment(r.FinishedAt), LinkID: r.LinkID,
		AlertChange: maybeJSON(r.AlertChange),
	}, nil
}

func attemptOf(r sqlc.Attempt) (dispatch.Attempt, error) {
	problems, err := maybeList("problems", r.Problems)
	return dispatch.Attempt{
		DeliveryID: r.DeliveryID, Number: narrow(r.Number), StartedAt: moment(r.StartedAt),
		Duration: maybe(r.Duration, func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }),
		Outcome:  maybe(r.Outcome, word[dispatch.OutcomeKind]), HTTPStatus: maybe(r.HTTPStatus, narrow), Error: r.Error,
		Request: maybeJSON(r.Request), Response: r.Response, Problems: problems,
	}, err
}

func decisionOf(r sqlc.Decision) (dispatch.Decision, error) {
	d := dispatch.Decision{
		AlertID: r.AlertID, ActionID: r.ActionID, ActionName: r.ActionName, Verdict: dispatch.Verdict(r.Verdict), Reason: r.Reason,
	}
	var err error
	if d.Problems, err = decode[[]string]("problems", r.Problems); err != nil || r.Trace == nil {
		return d, err
	}
	d.Trace, err = decode[dispatch.Trace]("the trace", *r.Trace)
	return d, err
}

func notificationRow(n dispatch.Notification) sqlc.Notification {
	return sqlc.Notification{
		ID: n.ID, Title: clean(n.Title), Message: clean(n.Message), Severity: rank(n.Severity), Category: n.Category,
		SubCategory: n.SubCategory, Source: n.Source, AlertID: n.AlertID, TicketID: n.TicketID, DeliveryID: n.DeliveryID,
		CreatedAt: ms(n.CreatedAt), ReadAt: maybeMS(n.ReadAt),
	}
}

func notificationOf(r sqlc.Notification) (dispatch.Notification, error) {
	return dispatch.Notification{
		Seq: r.Seq, ID: r.ID, Title: r.Title, Message: r.Message, Severity: severity(r.Severity), Category: r.Category,
		SubCategory: r.SubCategory, Source: r.Source, AlertID: r.AlertID, TicketID: r.TicketID, DeliveryID: r.DeliveryID,
		CreatedAt: moment(r.CreatedAt), ReadAt: maybeMoment(r.ReadAt),
	}, nil
}

func ticketEventOf(r sqlc.TicketEvent, s dispatch.TicketSubject) (dispatch.TicketEvent, error) {
	by, err := decodeOrigin(r.Origin)
	return dispatch.TicketEvent{
		Seq: r.Seq, ID: r.ID, Kind: dispatch.TicketEventKind(r.Kind), At: moment(r.HappenedAt), By: by, TicketID: r.TicketID,
		StatusBefore: maybe(r.StatusBefore, word[dispatch.TicketStatus]), Status: dispatch.TicketStatus(r.Status),
		SeverityBefore: maybe(r.SeverityBefore, severity), Severity: severity(r.Severity), AssigneeBefore: r.AssigneeBefore,
		Assignee: r.Assignee, TicketVersion: narrow(r.TicketVersion), LinkID: r.LinkID, DeliveryID: r.DeliveryID,
		AlertID: r.AlertID, Text: r.Body, IgnoredBecause: r.IgnoredBecause, Subject: s, MatchesNow: true,
	}, err
}

// each converts all rows.
func each[R, N any](rows []R, convert func(R) (N, error)) ([]N, error) {
	all := make([]N, len(rows))
	for i, r := range rows {
		n, err := convert(r)
		if err != nil {
			return nil, err
		}
		all[i] = n
	}
	return all, nil
}
