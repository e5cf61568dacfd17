package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"

	"tocsin/dispatch"
)

// lines writes clauses as lines: the answer, the text, what was seen.
func lines(clauses []dispatch.Clause) string {
	var out strings.Builder
	for _, c := range clauses {
		answer := "-"
		if c.Result != nil {
			answer = fmt.Sprint(*c.Result)
		}
		fmt.Fprintf(&out, "%s | %s | %s\n", answer, c.Expression, c.Values)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestClausesTellWhatEachPartSaw(t *testing.T) {
	c := conditions(t)
	for _, row := range []struct {
		source string
		joins  bool
		want   string
	}{
		{source: `alert.severity == "HIGH"`, want: `true | alert.severity == "HIGH" | {"alert.severity":"HIGH"}`},
		{source: `alert.severity == "LOW" && alert.riskScore > 80`, want: `false | alert.severity == "LOW" | {"alert.severity":"HIGH"}
- | alert.riskScore > 80 | {}`},
		{source: "(alert.riskScore>80 || alert.key == 'a')\n\t&& !(alert.summary.contains(\"&& )\") || ticket != null) // why", want: `true | alert.riskScore>80 | {"alert.riskScore":87}
- | alert.key == 'a' | {}
false | alert.summary.contains("&& )") | {"alert.summary":"jdoe logged in from Oslo and Lagos"}
false | ticket != null | {"ticket":null}`},
		{source: `ticket != null && ticket.alertCount > 3`, joins: true, want: `true | ticket != null | {"ticket":{"number":42,"status":"OPEN","severity":"MEDIUM","alertCount":4,"openedAt":"2026-11-22T08:30:00Z"}}
true | ticket.alertCount > 3 | {"ticket.alertCount":4}`},
		{source: `alert.attributes.host == "db" || alert.attributes.port == 443`, want: `- | alert.attributes.host == "db" | {"alert.attributes.host":null}
true | alert.attributes.port == 443 | {"alert.attributes.port":443}`},
		{source: `alert.attributes.host == "db"`, want: `- | alert.attributes.host == "db" | {"alert.attributes.host":null}`},
		{source: `alert.attributes.vip && !alert.attributes.?blocked.orValue(false)`, want: `true | alert.attributes.vip | {"alert.attributes.vip":true}
false | alert.attributes.?blocked.orValue(false) | {"alert.attributes.blocked":null}`},
		{source: `!(has(alert.key) ? has(alert.link) : alert.attributes.vip)`, want: `true | has(alert.key) | {"alert.key":"jdoe"}
false | has(alert.link) | {"alert.link":null}
- | alert.attributes.vip | {}`},
		{source: `!(has(alert.link) ? true : alert.attributes["vip"])`, want: `false | has(alert.link) | {"alert.link":null}
- | true | {}
true | alert.attributes["vip"] | {"alert.attributes.vip":true}`},
		{source: `alert.link == "" && (alert.attributes.country.exists(c, c == "NG" && alert.key != "x")) && alert.attributes.country[1] == "NG"`, want: `true | alert.link == "" | {"alert.link":""}
true | alert.attributes.country.exists(c, c == "NG" && alert.key != "x") | {"alert.attributes.country":["NO","NG"],"alert.key":"jdoe"}
true | alert.attributes.country[1] == "NG" | {"alert.attributes.country[1]":"NG"}`},
		{source: `["x"].exists(alert, alert == "x") && now > alert.occurredAt - duration("1h")`, want: `true | ["x"].exists(alert, alert == "x") | {}
true | now > alert.occurredAt - duration("1h") | {"now":"2026-11-22T09:30:00Z","alert.occurredAt":"2026-11-22T09:30:00Z"}`},
		{source: `!alert.attributes.vip == false`, want: `true | !alert.attributes.vip == false | {"alert.attributes.vip":true}`},
		{source: `size(alert.attributes) == 5 && has(alert.payload)`, want: `true | size(alert.attributes) == 5 | {"alert.attributes":{"country": ["NO", "NG"], "port": 443, "ip": "10.1.2.3", "vip": true, "geo": {"city": "Oslo"}}}
true | has(alert.payload) | {"alert.payload":{"event": {"id": 42}}}`},
	} {
		t.Run(row.source, func(t *testing.T) {
			var open *dispatch.Ticket
			if row.joins {
				open = ticket()
			}
			_, clauses, err := c.Evaluate(t.Context(), row.source, alert(), open, at)
			if got := lines(clauses); got != row.want {
				t.Errorf("error %v, clauses\n%s\nwant\n%s", err, got, row.want)
			}
		})
	}
}

// What is shown of long values is short, and is JSON, whatever is in it.
func TestClausesShowShortValues(t *testing.T) {
	c, a := conditions(t), bigAlert(1_000, 500, 500)
	a.Summary = strings.Repeat("é\"<\x00", 300)
	many := map[string]any{}
	for i := range 500 {
		many[fmt.Sprintf("k%03d", i)] = map[string]any{"deep": []any{i, 1.5, 1e300, nil}}
	}
	attributes, err := json.Marshal(map[string]any{"many": many})
	if err != nil {
		t.Fatal(err)
	}
	a.Attributes = attributes
	source := `alert.summary != "" && alert.payload.B != "" && alert.payload.L != [] && alert.payload.N != [] && size(alert.attributes.many) > 0 && alert.attributes != {}`
	_, clauses, err := c.Evaluate(t.Context(), source, a, nil, at)
	if err != nil || len(clauses) != 6 {
		t.Fatal(err, clauses)
	}
	for _, clause := range clauses {
		if len(clause.Values) > 700 || len(clause.Values) < 100 || !json.Valid(clause.Values) {
			t.Errorf("%s: %d bytes: %s", clause.Expression, len(clause.Values), clause.Values)
		}
	}
	want := `{"alert.attributes.many":{"k000":{"deep":[0,1.5,1e+300,null]},"k001":`
	if got := string(clauses[4].Values); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want the first by the alphabet", got)
	}
}

func TestClausesAreBounded(t *testing.T) {
	c := conditions(t)
	_, clauses, err := c.Evaluate(t.Context(), strings.Repeat("now == now && ", 250)+"true", alert(), nil, at)
	if err != nil || len(clauses) != maxClauses+1 || clauses[maxClauses].Expression != "… and 201 more" {
		t.Errorf("%d clauses, the last %s, %v", len(clauses), lines(clauses[len(clauses)-1:]), err)
	}
	var one strings.Builder
	for i := range 60 {
		fmt.Fprintf(&one, "alert.attributes.?k%d.orValue(1) + ", i)
	}
	_, clauses, err = c.Evaluate(t.Context(), one.String()+"1 > 0", alert(), nil, at)
	if err != nil || bytes.Count(clauses[0].Values, []byte("null")) != maxValues {
		t.Errorf("want %d values: %s, %v", maxValues, lines(clauses), err)
	}
}

// The text of each clause is the author's: read again, it is the clause.
func TestClausesAreInTheWordsOfTheAuthor(t *testing.T) {
	c := conditions(t)
	rapid.Check(t, func(t *rapid.T) { authors(t, c, sentence(t).source) })
}

func authors(t rapid.TB, c *Conditions, source string) {
	checked, err := c.compile(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	leaves := joined(checked.NativeRep().Expr(), nil)
	texts := written(source)
	if len(texts) != len(leaves) {
		t.Fatalf("%s: %d texts of %d clauses: %q", source, len(texts), len(leaves), texts)
	}
	for i, text := range texts {
		again, issues := c.env.Parse(text)
		if issues.Err() != nil {
			t.Fatalf("%s: clause %q: %v", source, text, issues.Err())
		}
		got, want := unparsed(again.NativeRep().Expr()), unparsed(leaves[i])
		if got != want {
			t.Fatalf("%s: clause %q means %s, want %s", source, text, got, want)
		}
	}
}

// unparsed leaves macros written out, which have no numbers to find them by.
func unparsed(e ast.Expr) string {
	text, err := parser.Unparse(e, ast.NewSourceInfo(nil))
	if err != nil {
		return "(no text)"
	}
	return text
}

// formula is a condition with a way to work its answer out from those of its clauses.
type formula struct {
	source string
	answer func(next func() *bool) *bool
}

// sentence is negated, since what may be other than true and false is no condition by itself.
func sentence(t *rapid.T) formula { return negation(tree(t, 4)) }

func negation(of formula) formula {
	return formula{"!(" + of.source + ")", func(next func() *bool) *bool { return not(of.answer(next)) }}
}

// tree makes a condition out of and, or, not and ?: over clauses of all sorts.
func tree(t *rapid.T, depth int) formula {
	form := "clause"
	if depth > 0 {
		form = rapid.SampledFrom([]string{"clause", "and", "or", "not", "if"}).Draw(t, "form")
	}
	switch form {
	case "not":
		return negation(tree(t, depth-1))
	case "and", "or":
		return join(t, form, tree(t, depth-1), tree(t, depth-1))
	case "if":
		a, b, c := tree(t, depth-1), negation(tree(t, depth-1)), negation(tree(t, depth-1))
		return formula{"(" + a.source + ") ? (" + b.source + ") : (" + c.source + ")", func(next func() *bool) *bool {
			test, yes, no := a.answer(next), b.answer(next), c.answer(next)
			switch {
			case test == nil:
				return nil
			case *test:
				return yes
			}
			return no
		}}
	}
	return formula{rapid.SampledFrom([]string{
		`alert.severity == "HIGH"`, `alert.riskScore<80`, `(ticket == null)`, `ticket.alertCount > 3`, "true", "false", `(false)`,
		`alert.attributes.host == "x"`, `alert.attributes.vip`, `has(alert.link)`, `(alert.riskScore + 1) * 2 > 3`, `"a && (b" in ["c"]`,
		`alert.attributes.country.all(c, c != "NO" || c != "NG")`, `alert.summary.matches(r"\d || \)") // no`, `'''it's "&&"''' == "x"`,
		`!alert.attributes.vip == true`, `alert.attributes.port`, `now > timestamp("2026-01-01T00:00:00Z")`, `alert.?link.hasValue()`,
		`(alert.riskScore > 5 ? 1 : 2) == 1`, `{"a": true, "b": false}["b"]`, `hourIn("Europe/Berlin", 8, 18)`, `weekdayIn(now, "UTC", "SAT", "SUN")`,
	}).Draw(t, "clause") + "\n", func(next func() *bool) *bool { return next() }}
}

func join(t *rapid.T, form string, a, b formula) formula {
	sign, decides := " && ", false
	if form == "or" {
		sign, decides = "||", true
	}
	write := func(f formula) string {
		if rapid.Bool().Draw(t, "bare") && !strings.Contains(f.source, "?") && !strings.ContainsAny(f.source, "|&") {
			return f.source
		}
		return "(" + f.source + ")"
	}
	return formula{write(a) + sign + write(b), func(next func() *bool) *bool {
		x, y := a.answer(next), b.answer(next)
		switch {
		case x != nil && *x == decides || y != nil && *y == decides:
			return &decides
		case x == nil || y == nil:
			return nil
		}
		return not(&decides)
	}}
}

func not(b *bool) *bool {
	if b == nil {
		return nil
	}
	return new(!*b)
}

// The clauses add up to the answer, and the same inputs give the same of all.
func TestClausesAddUp(t *testing.T) {
	c, other := conditions(t), conditions(t)
	rapid.Check(t, func(t *rapid.T) {
		f := sentence(t)
		if err := c.Check(f.source); err != nil {
			t.Fatalf("%s: %v", f.source, err)
		}
		a := alert()
		a.RiskScore = new(rapid.IntRange(0, 100).Draw(t, "score"))
		var open *dispatch.Ticket
		if rapid.Bool().Draw(t, "joins") {
			open = ticket()
		}
		now := at.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "hours")) * time.Hour)
		holds, clauses, err := c.Evaluate(t.Context(), f.source, a, open, now)
		if len(clauses) > maxClauses {
			return
		}
		i := 0
		answer := f.answer(func() *bool { i++; return clauses[i-1].Result })
		if i != len(clauses) || (answer == nil) != (err != nil) || (answer != nil && *answer != holds) {
			t.Fatalf("%s: %v, %v, but %d of the clauses say otherwise:\n%s", f.source, holds, err, i, lines(clauses))
		}
		for _, again := range []*Conditions{c, other} {
			holds2, clauses2, err2 := again.Evaluate(t.Context(), f.source, a, open, now)
			if holds2 != holds || lines(clauses2) != lines(clauses) || fmt.Sprint(err2) != fmt.Sprint(err) {
				t.Fatalf("%s: %v, %v, then %v, %v\n%s\n%s", f.source, holds, err, holds2, err2, lines(clauses), lines(clauses2))
			}
		}
	})
}
