package lambda

import (
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/dispatch"
)

var (
	_  dispatch.Conditions = (*Conditions)(nil)
	at                     = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) // a Sunday
)

func conditions(tb testing.TB) *Conditions {
	tb.Helper()
	c, err := NewConditions()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func alert() dispatch.Alert {
	return dispatch.Alert{
		BehaviorModel: "Impossible travel", Behavior: new("account login"), Key: new("jdoe"), KeyType: new("username"),
		Severity: dispatch.High, RiskScore: new(87), Risks: []string{"Account takeover", "MFA fatigue"},
		Summary: "jdoe logged in from Oslo and Lagos", Source: new("okta"),
		Attributes: dispatch.JSON(`{"country": ["NO", "NG"], "port": 443, "ip": "10.1.2.3", "vip": true, "geo": {"city": "Oslo"}}`),
		Payload:    dispatch.JSON(`{"event": {"id": 42}}`), DedupKey: "k", OccurredAt: at, ReceivedAt: at.Add(2 * time.Second),
		RaisedBy: dispatch.Origin{Kind: dispatch.FromToken, Name: "siem"},
	}
}

func ticket() *dispatch.Ticket {
	return &dispatch.Ticket{Number: 42, Status: dispatch.TicketOpen, Severity: dispatch.Medium, AlertCount: 4, OpenedAt: at.Add(-time.Hour)}
}

func TestEvaluate(t *testing.T) {
	c := conditions(t)
	for _, row := range []struct {
		source             string
		joining, lone      bool // with a ticket, without
		problem, loneSorry string
	}{
		{source: `alert.severity == "HIGH"`, joining: true, lone: true},
		{source: `alert.severity in ["LOW", "INFO"]`},
		{source: `severityRank(alert.severity) >= severityRank("MEDIUM")`, joining: true, lone: true},
		{source: `alert.riskScore > 80 && alert.key == "jdoe" && alert.keyType == "username"`, joining: true, lone: true},
		{source: `alert.riskScore > 86.5`, joining: true, lone: true},
		{source: `"MFA fatigue" in alert.risks && alert.risks.size() == 2`, joining: true, lone: true},
		{source: `alert.risks.exists(r, r.startsWith("Account"))`, joining: true, lone: true},
		{source: `alert.link == "" && !has(alert.link) && has(alert.key)`, joining: true, lone: true},
		{source: `alert.attributes.port == 443 && alert.attributes.port > 405`, joining: true, lone: true},
		{source: `alert.attributes.country[1] == "NG" && alert.attributes.vip == true`, joining: true, lone: true},
		{source: `alert.attributes.?host.orValue("") == ""`, joining: true, lone: true},
		{source: `alert.attributes.?geo.?city.orValue("?") == "Oslo"`, joining: true, lone: true},
		{source: `alert.attributes.host == "db-1"`, problem: ".?host.orValue", loneSorry: "no host"},
		{source: `alert.attributes.port.startsWith("4")`, problem: "another type", loneSorry: "another type"},
		{source: `alert.payload.event.id == 42`, joining: true, lone: true},
		{source: `inCIDR(alert.attributes.ip, "10.0.0.0/8") && !inCIDR(alert.key, "10.0.0.0/8")`, joining: true, lone: true},
		{source: `inCIDR("::ffff:10.1.2.3", "10.0.0.0/8")`, joining: true, lone: true},
		{source: `inCIDR("2001:db8::7", "2001:db8::/32") && !inCIDR("2001:db9::7", "2001:db8::/32") && inCIDR("10.1.2.3", "::ffff:10.0.0.0/104")`, joining: true, lone: true},
		{source: `inCIDR(alert.attributes.ip, alert.key)`, problem: `"jdoe" is not a network`, loneSorry: `"jdoe" is not a network`},
		{source: `lower("ÅSE") == "åse" && alert.summary.lower().contains("lagos") && upper(alert.key) == "JDOE"`, joining: true, lone: true},
		{source: `hourIn("Europe/Berlin", 11, 12) && !hourIn("Europe/Berlin", 10, 11) && hourIn("Asia/Tokyo", 19, 20)`, joining: true, lone: true},
		{source: `hourIn("UTC", 22, 11) && !hourIn("UTC", 22, 10) && hourIn("UTC", 0, 24) && hourIn(alert.occurredAt, "UTC", 9, 10)`, joining: true, lone: true},
		{source: `weekdayIn("Europe/Berlin", "SAT", "SUN") && !weekdayIn("Europe/Berlin", "MON", "SAT") && weekdayIn("UTC", "SUN", "MON")`, joining: true, lone: true},
		{source: `weekdayIn(now + duration("14h"), "UTC", "MON", "MON") && weekdayIn(alert.occurredAt, "Pacific/Kiritimati", "SUN", "SUN")`, joining: true, lone: true},
		{source: `hourIn(alert.key, 8, 18)`, problem: `"jdoe" is not a time zone`, loneSorry: "such as Europe/Berlin"},
		{source: `hourIn("UTC", 8, alert.riskScore)`, problem: "hours from 8 to 87", loneSorry: "of 0 to 24"},
		{source: `weekdayIn("UTC", "MON", upper(alert.key))`, problem: `to "JDOE": the days are MON, TUE`, loneSorry: "the days are"},
		{source: `ticket != null && ticket.alertCount == 4 && has(ticket.status)`, joining: true},
		{source: `ticket != null ? ticket.alertCount > 3 : alert.riskScore > 90`, joining: true},
		{source: `has(ticket.status)`, joining: true},
		{source: `ticket.?openedAt.orValue(now) < now - duration("1h")`, joining: true},
		{source: `alert.summary.matches("from (Oslo|Bergen)") && alert.summary.lowerAscii().contains("lagos")`, joining: true, lone: true},
		{source: `ticket != null && ticket.alertCount > 3`, joining: true},
		{source: `ticket == null || ticket.status == "OPEN"`, joining: true, lone: true},
		{source: `ticket.?status.orValue("none") == "none"`, lone: true},
		{source: `ticket.?alertCount.orValue(0) >= 4`, joining: true},
		{source: `ticket.alertCount > 3`, joining: true, loneSorry: "no open ticket"},
		{source: `ticket == ticket && alert == alert && type(alert) == type(alert)`, joining: true, lone: true},
		{source: `now - alert.occurredAt > duration("30m")`, joining: true, lone: true},
		{source: `now.getDayOfWeek() == 0 && now.getHours("Europe/Oslo") == 11`, joining: true, lone: true},
		{source: `alert.raisedBy == "siem" && alert.receivedAt > alert.occurredAt`, joining: true, lone: true},
		{source: `severityRank(alert.summary) > 1`, problem: "is not a severity", loneSorry: "is not a severity"},
		{source: `alert.summary.matches(alert.key + "(")`, problem: "not a regular expression", loneSorry: "not a regular expression"},
	} {
		t.Run(row.source, func(t *testing.T) {
			if err := c.Check(row.source); err != nil {
				t.Fatal(err)
			}
			for open, want := range map[*dispatch.Ticket]struct {
				holds   bool
				problem string
			}{ticket(): {row.joining, row.problem}, nil: {row.lone, row.loneSorry}} {
				holds, _, err := c.Evaluate(t.Context(), row.source, alert(), open, at.Add(time.Hour))
				if (err != nil) != (want.problem != "") || (err != nil && !strings.Contains(err.Error(), want.problem)) {
					t.Errorf("ticket %v: error %v, want %q", open != nil, err, want.problem)
				}
				if holds != want.holds {
					t.Errorf("ticket %v: %v, want %v", open != nil, holds, want.holds)
				}
			}
		})
	}
}

func TestAbsentFieldsAreEmpty(t *testing.T) {
	c := conditions(t)
	bare := dispatch.Alert{BehaviorModel: "m", Severity: dispatch.Low, Summary: "s", OccurredAt: at, ReceivedAt: at}
	for source, want := range map[string]bool{
		`alert.key == "" && alert.behavior == "" && alert.description == "" && alert.source == "" && alert.riskScore == 0`: true,
		`alert.key == "x" || alert.riskScore > 10 || has(alert.riskScore) || has(alert.payload)`:                           false,
		`alert.payload == null && size(alert.attributes) == 0 && alert.risks.size() == 0`:                                  true,
	} {
		got, _, err := c.Evaluate(t.Context(), source, bare, nil, at)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	c := conditions(t)
	for _, row := range []struct{ source, says string }{
		{`alert.severty == "HIGH"`, "line 1, column 6: there is no field severty; did you mean severity?\n  alert.severty == \"HIGH\"\n       ^"},
		{"alert.key == \"x\"\n&& alrt.key == \"y\"", "line 2, column 4: there is no alrt; did you mean alert?\n  && alrt.key == \"y\"\n     ^"},
		{`alert.zzzzzzzz == 1`, "alert has behaviorModel"},
		{`alert.severity == HIGH`, `texts stand in quotes, such as "HIGH"`},
		{`severityrank(alert.severity) > 2`, "did you mean severityRank?"},
		{`alert.severity >= "HIGH"`, "column 16: severities are texts, which order by the alphabet"},
		{`alert.riskScore`, "gives an int, not true or false"},
		{`alert.attributes.vip`, "gives a dyn, not true or false"},
		{`alert.riskScore == "high"`, "== cannot be used on (int, string)"},
		{`alert.summary.matches("(")`, "not a regular expression"},
		{`alert.summary.replace("a", "b") == ""`, "replace() is not offered"},
		{`inCIDR(alert.key, "10.0.0.0/33")`, `line 1, column 7: "10.0.0.0/33" is not a network`},
		{`hourIn("Europe/Brelin", 8, 18)`, `"Europe/Brelin" is not a time zone; write one such as Europe/Berlin`},
		{`hourIn("Local", 8, 18)`, `"Local" is not a time zone`},
		{`now.getHours("Oslo") > 1`, `"Oslo" is not a time zone`},
		{`hourIn("UTC", 8, 25)`, "hours from 8 to 25: write two different ones of 0 to 24"},
		{`hourIn(now, "UTC", 8, 8)`, "hours from 8 to 8"},
		{`weekdayIn("UTC", "MON", "FRY")`, `days from "MON" to "FRY": the days are MON, TUE`},
		{`hoursIn("UTC", 8, 18)`, "did you mean hourIn?"},
		{`weekdayin("UTC", "MON", "FRI")`, "did you mean weekdayIn?"},
		{`lowwer(alert.key) == "x"`, "did you mean lower?"},
		{`hourIn("UTC", "8", 18)`, "hourIn cannot be used on (timestamp"},
		{`alert.key.matches("a{900}b{900}c{2,900}")`, "too large once its repetitions are written out"},
		{`alert.key ==`, "line 1, column 13: Syntax error"},
		{``, "Syntax error"},
		{strings.Repeat("a", 4_001), "has 4001 characters; write at most 4000"},
	} {
		if err := c.Check(row.source); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%.40s\n got %v\nwant %s", row.source, err, row.says)
		}
		if _, _, err := c.Evaluate(t.Context(), row.source, alert(), nil, at); err == nil {
			t.Errorf("%.40s: evaluated", row.source)
		}
	}
}

func TestCrowd(t *testing.T) {
	c := conditions(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			a := alert()
			a.RiskScore = new(i)
			for range 20 {
				holds, _, err := c.Evaluate(t.Context(), `alert.riskScore >= 50 && alert.attributes.port == 443 && alert.summary.matches("Oslo")`, a, ticket(), at)
				if err != nil || holds != (i >= 50) {
					t.Errorf("score %d: %v, %v", i, holds, err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkSimple(b *testing.B) {
	c, a := conditions(b), alert()
	for b.Loop() {
		if holds, _, err := c.Evaluate(b.Context(), `alert.severity == "HIGH" && alert.riskScore > 80`, a, nil, at); !holds || err != nil {
			b.Fatal(holds, err)
		}
	}
}

func BenchmarkAttributes(b *testing.B) {
	c, a := conditions(b), alert()
	for b.Loop() {
		if holds, _, err := c.Evaluate(b.Context(), `alert.attributes.port == 443`, a, nil, at); !holds || err != nil {
			b.Fatal(holds, err)
		}
	}
}
