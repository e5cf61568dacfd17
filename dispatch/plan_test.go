package dispatch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// words stands in for CEL where a plan is what is tested: true, false, or an error.
type words struct{}

func (words) Check(string) error { return nil }

func (words) Evaluate(_ context.Context, source string, _ Alert, _ *Ticket, _ time.Time) (bool, []Clause, error) {
	if source == "broken" {
		return false, nil, errors.New("no such key: user")
	}
	return source == "true", nil, nil
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// planned makes a configuration of one action over one model and plans an
// alert of the given severity.
func planned(t *testing.T, change func(a *Action, m *BehaviorModel), severity Severity, open *OpenTicket) Plan {
	t.Helper()
	group := "Event Interruption"
	model := BehaviorModel{ID: "bhm_1", Name: "Model", Group: &group, Enabled: true, Severity: Medium}
	other := BehaviorModel{ID: "bhm_2", Name: "Other", Group: &group, Enabled: true}
	action := Action{
		ID: "acn_1", Name: "Act", Enabled: true, BehaviorModelIDs: []string{"bhm_1"}, APIConfigIDs: []string{"cfg_1", "cfg_2"},
		TicketPolicy: PerDedupKey, Renotify: RenotifyWhenMoreSevere,
	}
	change(&action, &model)
	cfg := NewConfiguration(7, Nouns{
		BehaviorModels: []BehaviorModel{model, other}, Actions: []Action{action},
		APIConfigs: []APIConfig{{ID: "cfg_1", Name: "One", Kind: "k", Version: 3}, {ID: "cfg_2", Name: "Two", Kind: "k", Version: 1}},
		Actors:     []Actor{{ID: BuiltInActorID("k"), Name: "K", Kind: "k", BuiltIn: true, Enabled: true}},
	})
	alert := RaiseAlertInput{BehaviorModel: "model", Summary: "s", Severity: &severity}.alert("alr_1", model, System, noon)
	p := planner{cfg: cfg, conditions: words{}, alert: alert, now: noon, ids: newPlanIDs()}
	return p.plan(t.Context(), open)
}

// openTicket is a HIGH ticket for which the action last fired that long ago.
func openTicket(ago time.Duration) *OpenTicket {
	return &OpenTicket{Ticket: Ticket{ID: "tkt_1", Number: 42, Severity: High, Status: TicketOpen}, Fired: map[string]time.Time{"acn_1": noon.Add(-ago)}}
}

func TestPlan(t *testing.T) {
	hour := time.Hour
	condition := func(text string) func(*Action, *BehaviorModel) {
		return func(a *Action, _ *BehaviorModel) { a.Condition = &text }
	}
	renotify := func(r Renotify) func(*Action, *BehaviorModel) {
		return func(a *Action, _ *BehaviorModel) { a.Renotify, a.RenotifyAfter = r, &hour }
	}
	tests := map[string]struct {
		change   func(a *Action, m *BehaviorModel)
		severity Severity
		open     *OpenTicket
		verdict  Verdict
		ticket   TicketPolicy
		reason   string
	}{
		"fires": {func(*Action, *BehaviorModel) {}, High, nil, Fired, PerDedupKey, "applies to the behavior model Model"},
		"by group, whatever the case": {func(a *Action, _ *BehaviorModel) {
			a.BehaviorModelIDs, a.BehaviorGroups = nil, []string{"event interruption"}
		}, High, nil, Fired, PerDedupKey, ""},
		"all models":                  {func(a *Action, _ *BehaviorModel) { a.BehaviorModelIDs, a.AllModels = nil, true }, High, nil, Fired, PerDedupKey, ""},
		"same group, other model":     {func(a *Action, _ *BehaviorModel) { a.BehaviorModelIDs = []string{"bhm_2"} }, High, nil, ModelNotCovered, NoTicket, "does not apply"},
		"action disabled":             {func(a *Action, _ *BehaviorModel) { a.Enabled = false }, High, nil, ActionDisabled, NoTicket, ""},
		"model disabled":              {func(_ *Action, m *BehaviorModel) { m.Enabled = false }, High, nil, ModelDisabled, NoTicket, "model Model is disabled"},
		"condition true":              {condition("true"), High, nil, Fired, PerDedupKey, "its condition is true"},
		"condition false":             {condition("false"), High, nil, ConditionFalse, NoTicket, ""},
		"condition broken fails open": {condition("broken"), High, nil, Fired, PerDedupKey, ""},
		"no ticket":                   {func(a *Action, _ *BehaviorModel) { a.TicketPolicy = NoTicket }, High, openTicket(0), Fired, NoTicket, ""},
		"a ticket an alert":           {func(a *Action, _ *BehaviorModel) { a.TicketPolicy = PerAlert }, High, openTicket(0), Fired, PerAlert, ""},
		"joins, equally severe":       {renotify(RenotifyWhenMoreSevere), High, openTicket(0), HeldByRenotify, PerDedupKey, "joins T-42 and is not more severe"},
		"joins, more severe":          {renotify(RenotifyWhenMoreSevere), Critical, openTicket(0), Fired, PerDedupKey, ""},
		"joins, always":               {renotify(RenotifyAlways), Info, openTicket(0), Fired, PerDedupKey, ""},
		"joins, never":                {renotify(RenotifyNever), Critical, openTicket(0), HeldByRenotify, PerDedupKey, "once a ticket"},
		"joins, too early":            {renotify(RenotifyAfterInterval), Critical, openTicket(59 * time.Minute), HeldByRenotify, PerDedupKey, "less than 1h"},
		"joins, late enough":          {renotify(RenotifyAfterInterval), Critical, openTicket(hour), Fired, PerDedupKey, ""},
		"joins, never fired for it":   {renotify(RenotifyNever), Info, &OpenTicket{Ticket: Ticket{Severity: Critical}}, Fired, PerDedupKey, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := planned(t, tt.change, tt.severity, tt.open)
			if len(p.Decisions) != 1 || p.Decisions[0].Verdict != tt.verdict {
				t.Fatalf("decisions %+v, want one %s", p.Decisions, tt.verdict)
			}
			if p.Ticket != tt.ticket || !strings.Contains(p.Decisions[0].Reason, tt.reason) {
				t.Errorf("ticket %s reason %q, want %s and %q", p.Ticket, p.Decisions[0].Reason, tt.ticket, tt.reason)
			}
			want := 0
			if tt.verdict == Fired {
				want = 2
			}
			if len(p.Deliveries) != want || p.Promised != want {
				t.Errorf("%d deliveries, %d promised, want %d", len(p.Deliveries), p.Promised, want)
			}
		})
	}
}

func TestPlanSaysWhatWentWrong(t *testing.T) {
	broken := "broken"
	p := planned(t, func(a *Action, _ *BehaviorModel) { a.Condition = &broken }, High, nil)
	if len(p.Decisions[0].Problems) != 1 || !strings.Contains(p.Decisions[0].Problems[0], "no such key: user") {
		t.Errorf("problems %q do not name the failure", p.Decisions[0].Problems)
	}
}

// TestPlanAgain: made twice, a plan promises the same deliveries by the same ids.
func TestPlanAgain(t *testing.T) {
	cfg := NewConfiguration(1, Nouns{
		BehaviorModels: []BehaviorModel{{ID: "bhm_1", Name: "Model", Enabled: true}},
		Actions:        []Action{{ID: "acn_1", Enabled: true, AllModels: true, APIConfigIDs: []string{"cfg_1"}, TicketPolicy: PerDedupKey}},
		APIConfigs:     []APIConfig{{ID: "cfg_1", Kind: "k"}},
	})
	a := Alert{ID: "alr_1", BehaviorModel: "Model"}
	p := planner{cfg: cfg, conditions: words{}, alert: a, now: noon, ids: newPlanIDs()}
	first, again := p.plan(t.Context(), nil), p.plan(t.Context(), openTicket(0))
	if first.Deliveries[0].ID != again.Deliveries[0].ID || first.NewTicket.ID != again.NewTicket.ID {
		t.Error("the second plan has other ids than the first")
	}
}

func TestDedupKey(t *testing.T) {
	text := func(s string) *string { return &s }
	pairs := []RaiseAlertInput{
		{BehaviorModel: "a", Key: text("b")}, {BehaviorModel: "a", Key: text("b/1:c")}, {BehaviorModel: "a/1:b"}, {BehaviorModel: "a"},
	}
	seen := map[string]int{}
	for i, in := range pairs {
		key := dedupKey(in, in.BehaviorModel)
		if j, ok := seen[key]; ok {
			t.Errorf("inputs %d and %d share the dedup key %q", i, j, key)
		}
		seen[key] = i
	}
	if got := dedupKey(RaiseAlertInput{DedupKey: text("mine")}, "a"); got != "mine" {
		t.Errorf("a given dedup key became %q", got)
	}
}
