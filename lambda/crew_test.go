package lambda

import (
	"os"
	"strings"
	"testing"

	"tocsin/dispatch"
)

func TestMain(m *testing.M) {
	Inside()
	if os.Args[0] == parent {
		beParent()
		return
	}
	os.Exit(m.Run())
}

// crew makes a crew that ends with the test. The limits of time are wide, as
// the tests share their processors; those that are about them set their own.
func crew(tb testing.TB, o Options) *Crew {
	tb.Helper()
	o.Deadline = or(o.Deadline, calm)
	c := NewCrew(o)
	tb.Cleanup(c.Close)
	return c
}

func call(source string) dispatch.LambdaCall {
	return dispatch.LambdaCall{
		Source: source, Now: at, Seed: "alert-1",
		Alert: dispatch.JSON(`{"summary": "jdoe logged in from Oslo and Lagos", "severity": "HIGH", "riskScore": 87,
			"attributes": {"ip": "10.1.2.3", "ports": [22, 443]}, "key": "jdoe"}`),
		Config: dispatch.JSON(`{"admins": ["root", "jdoe"], "limits": {"low": 10}}`),
		Ticket: dispatch.JSON(`{"number": 42, "status": "OPEN"}`), Action: dispatch.JSON(`{"name": "Tell the team"}`),
	}
}

// The rows are what an author may write, and what becomes of it.
func TestRunLambda(t *testing.T) {
	c := crew(t, Options{Size: 1})
	for _, row := range []struct {
		name, source string
		alert        string // "" when dropped
		logs         string
	}{
		{name: "a new alert", source: `export default (alert) => ({ ...alert, severity: "LOW" })`, alert: `"severity":"LOW"`},
		{name: "the alert changed in place", source: `export default function (alert) { alert.attributes.seen = true; return alert }`, alert: `"seen":true`},
		{name: "null drops", source: `export default () => null`},
		{name: "an alert and logs", source: `export default (a) => ({ alert: a, logs: ["one", {two: 2}] })`, alert: `"key":"jdoe"`, logs: `one|{"two":2}`},
		{name: "dropped, with logs", source: `export default (a) => ({ alert: null, logs: ["known scanner"] })`, logs: "known scanner"},
		{name: "logs of all kinds", source: `export default (a, ctx) => { ctx.log("n", 1, null, undefined, [1], new TypeError("x")); console.log(1n, Symbol("s")); return null }`, logs: `n 1 null undefined [1] TypeError: x|1 Symbol(s)`},
		{name: "types", source: "type A = { severity: string, key?: string };\nenum S { Low = 'LOW' }\nexport default function f(alert: A): A | null { return <A>{ ...alert, severity: S.Low as string }; }", alert: `"severity":"LOW"`},
		{name: "ctx", source: `export default (a, ctx) => { ctx.log(ctx.ticket.number, ctx.action.name, ctx.config.admins.includes(a.key), ctx.now.toISOString(), ctx.now instanceof Date); return null }`, logs: "42 Tell the team true 2026-11-22T09:30:00.000Z true"},
		{name: "frozen", source: `export default (a, ctx) => { try { ctx.config.limits.low = 1 } catch (e) { ctx.log(e.name) } return null }`, logs: "TypeError"},
		{name: "cidr", source: `export default (a, {log, cidr}) => { log([cidr(a.attributes.ip, "10.0.0.0/8"), cidr("::1", "10.0.0.0/8"), cidr("host", "10.0.0.0/8")].join()); return null }`, logs: "true,false,false"},
		{name: "hash", source: `export default (a, {log, hash}) => { log(hash("abc"), hash("abc", "sha1"), hash("abc", "md5")); return null }`, logs: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad a9993e364706816aba3e25717850c26c9cd0d89d 900150983cd24fb0d6963f7d28e17f72"},
		{name: "base64", source: `export default (a, {log, base64}) => { log(base64.encode("é"), base64.decode("w6k="), base64.decode("w6k")); return null }`, logs: "w6k= é é"},
		{name: "parseUrl", source: `export default (a, {log, parseUrl}) => { log(parseUrl("https://u@Example.com:8443/a/b?x=1&y=2#f"), parseUrl("no url")); return null }`, logs: `{"fragment":"f","host":"example.com","path":"/a/b","port":"8443","query":{"x":"1","y":"2"},"scheme":"https"} null`},
		{name: "the clock stands", source: `export default (a, ctx) => { ctx.log(Date.now() === +ctx.now && new Date().getTime() === +ctx.now, new Date(2020, 0, 1).toISOString(), new Date(0).getTimezoneOffset(), Date().slice(0, 15)); return null }`, logs: "true 2020-01-01T00:00:00.000Z 0 Sun Nov 22 2026"},
		{name: "text of all scripts", source: `export default (a) => ({ ...a, summary: "警报 🚨 \u0000" })`, alert: `警报 🚨 \u0000`},
		{name: "commonplace code", source: "class T { #n = 1; get n() { return this.#n } }\nconst pick = ({key, ...rest}) => rest;\nexport default (a) => ({...pick(a), n: new T().n, s: [...new Set([3,1,3])].sort(), r: /(?<u>j\\w+)/.exec(a.summary)?.groups.u ?? 'none'})", alert: `"n":1,"s":[1,3],"r":"jdoe"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := c.RunLambda(t.Context(), call(row.source))
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if (row.alert == "") != (r.Alert == nil) || !strings.Contains(string(r.Alert), row.alert) {
				t.Errorf("got %s, want %s", r.Alert, row.alert)
			}
			if logs := strings.Join(r.Logs, "|"); logs != row.logs {
				t.Errorf("logs are %s, want %s", logs, row.logs)
			}
		})
	}
}

func TestLambdaThatCannotBeUsed(t *testing.T) {
	c := crew(t, Options{Size: 1})
	for _, row := range []struct {
		name, source, want string
		later              bool // found by a call only
	}{
		{name: "syntax", source: "const a = 1;\nexport default (alert) => {\n  return alert +;\n}", want: "line 3, column 17: unexpected \";\"\n    return alert +;\n                  ^"},
		{name: "types do not hide the place", source: "type A = { s: string }\n\nexport default (alert: A) => {\n  const x: number = 1;\n  return alert.nope.s;\n}", want: "line 5, column 16: TypeError: cannot read property 's' of undefined", later: true},
		{name: "who called", source: "function deep(x) {\n  throw new Error('no ' + x)\n}\nexport default (alert) => {\n  deep(alert.key)\n  return alert\n}", want: "line 2, column 13: Error: no jdoe\n    throw new Error('no ' + x)\n              ^\n  called from line 5, column 3", later: true},
		{name: "at the top", source: "const a = null;\na.b;\nexport default (alert) => alert", want: "line 2, column 1: TypeError: cannot read property 'b' of null"},
		{name: "not an error", source: "export default () => { throw 'a text' }", want: "threw a text", later: true},
		{name: "no export", source: "const f = (a) => a", want: "no default export"},
		{name: "another export", source: "export const f = (a) => a", want: "no default export"},
		{name: "empty", source: "", want: "no default export"},
		{name: "no function", source: "export default 5", want: "the default export is a number, not a function"},
		{name: "async", source: "export default async (a) => a", want: "leave async out"},
		{name: "generator", source: "export default function* (a) { yield a }", want: "leave the * out"},
		{name: "promise", source: "export default (a) => Promise.resolve(a)", want: "returned a promise", later: true},
		{name: "nothing", source: "export default (a) => { a.x = 1 }", want: "returned nothing; return the alert, or null to drop it", later: true},
		{name: "a number", source: "export default () => 5", want: "returned a number", later: true},
		{name: "a list", source: "export default (a) => [a]", want: "returned a list", later: true},
		{name: "a list as alert", source: "export default (a) => ({ alert: [a] })", want: "returned a list", later: true},
		{name: "a circle", source: "export default (a) => { a.a = a; return a }", want: "circular reference", later: true},
		{name: "import", source: "import fs from 'fs';\nexport default (a) => fs.x", want: "line 1, column 16: a lambda is one file and cannot import"},
		{name: "top-level await", source: "await 1;\nexport default (a) => a", want: "line 1, column 1: top-level await"},
		{name: "too much", source: "export default (a) => ({...a, s: 'x'.repeat(300000)})", want: "more than 256 KiB", later: true},
		{name: "range", source: "export default (a, ctx) => { ctx.cidr('1.2.3.4', 'everything'); return a }", want: `line 1, column 34: TypeError: "everything" is not a range of addresses`, later: true},
		{name: "argument", source: "export default (a, ctx) => { ctx.hash(5); return a }", want: "an argument is not a text, but a number", later: true},
		{name: "a regular expression", source: "export default (a) => /(/.test(a.key) ? a : null", want: "SyntaxError"},
	} {
		t.Run(row.name, func(t *testing.T) {
			checked := c.CheckLambda(t.Context(), row.source)
			if (checked == nil) != row.later {
				t.Errorf("the check says %v", checked)
			}
			r := c.RunLambda(t.Context(), call(row.source))
			if r.Err == nil || r.Alert != nil || !strings.Contains(r.Err.Error(), row.want) {
				t.Errorf("got %s and\n%v\nwant\n%s", r.Alert, r.Err, row.want)
			}
		})
	}
}
