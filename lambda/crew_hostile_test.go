package lambda

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileLambdas are lambdas that mean harm, by the class of what they try. Many
// would run for hours or take all memory; what they answer does not matter.
func hostileLambdas() map[string]string {
	inside := func(body string) string { return "export default (alert, ctx) => {\n" + body + "\nreturn alert }" }
	return map[string]string{
		"endless loop":               inside(`while (true) {}`),
		"endless loop in finally":    inside(`while (true) { try { throw 1 } catch { continue } finally { for (;;) {} } }`),
		"endless recursion, caught":  inside(`const f = () => { try { f() } catch { f() } }; f()`),
		"loop in a getter":           inside(`Object.defineProperty(alert, "x", {enumerable: true, get() { for (;;) {} }})`),
		"loop in toJSON":             inside(`alert.toJSON = () => { for (;;) {} }`),
		"toJSON without end":         inside(`alert.toJSON = function () { return {a: {toJSON: alert.toJSON}} }`),
		"loop in a proxy":            `export default (a) => new Proxy(a, { ownKeys() { for (;;) {} } })`,
		"a proxy of endless keys":    `export default (a) => new Proxy(a, { ownKeys() { return Array.from({length: 1e7}, (_, i) => "k" + i) }, getOwnPropertyDescriptor() { return {enumerable: true, configurable: true, value: 1} } })`,
		"loop in toString":           inside(`throw { toString() { for (;;) {} } }`),
		"loop in an error's message": inside(`const e = new Error("x"); Object.defineProperty(e, "message", { get() { for (;;) {} } }); throw e`),
		"loop in a log":              inside(`ctx.log({ toJSON() { for (;;) {} } })`),
		"loop in hasInstance":        inside(`Object.defineProperty(Error, Symbol.hasInstance, { value() { for (;;) {} } }); ctx.log({})`),
		"loop at the top":            "while (true) {}\nexport default (a) => a",
		"loop in a module's getter":  `const m = { get default() { for (;;) {} } }; export default m.default`,
		"microtasks":                 inside(`const again = () => Promise.resolve().then(again); again()`),
		"a thenable":                 `export default (a) => ({ get then() { for (;;) {} } })`,
		"a generator without end":    inside(`for (const x of (function* () { for (;;) yield 1 })()) {}`),
		"fill":                       inside(`new Array(1e8).fill(0)`),
		"join":                       inside(`[].join.call({length: 4294967295}, "x")`),
		"split":                      inside(`let s = "x".repeat(3e5); while (true) s.split("")`),
		"stringify again and again":  inside(`const a = Array(1e5).fill(1); while (true) JSON.stringify(a)`),
		"indexOf of what is not":     inside(`[].indexOf.call({length: 4294967295}, 99)`),
		"lastIndexOf":                inside(`[].lastIndexOf.call({length: 4294967295}, 99)`),
		"reverse":                    inside(`[].reverse.call({length: 2 ** 50})`),
		"sort":                       inside(`const a = new Float64Array(5e6).map((_, i) => -i); for (;;) a.sort(() => 1)`),
		"replace":                    inside(`"a".repeat(1e6).replace(/a/g, "b".repeat(1e6))`),
		"replaceAll":                 inside(`"a".repeat(1e6).replaceAll("a", "$&".repeat(1e5))`),
		"a big power":                inside(`2n ** 100000000n`),
		"big factorials":             inside(`let n = 1n; for (let i = 1n; ; i++) n *= i`),
		"a slow pattern":             inside(`/^(?=(a+))(a+)+\1b$/.test("a".repeat(40))`),
		"another slow pattern":       inside(`/(x+x+)+y/.test("x".repeat(60))`),
		"a huge pattern":             inside(`new RegExp("(".repeat(5e4) + ")".repeat(5e4)).test("x")`),
		"doubling a text":            inside(`let s = "x"; for (;;) s += s`),
		"padding":                    inside(`const a = []; for (;;) a.push("x".padEnd(1e8, "y"))`),
		"pushing texts":              inside(`const a = []; while (true) a.push("x".repeat(1e6))`),
		"pushing, caught":            inside(`const a = []; for (;;) { try { a.push("x".repeat(1e6), new Array(1e5).fill({})) } catch { a.length = 5 } }`),
		"buffers":                    inside(`const a = []; for (;;) a.push(new ArrayBuffer(1e8))`),
		"growing buffers":            inside(`const b = new ArrayBuffer(1, {maxByteLength: 4e9}); for (let n = 1; ; n *= 2) b.resize(n)`),
		"maps":                       inside(`const m = new Map(); for (let i = 0; ; i++) m.set({}, i)`),
		"closures":                   inside(`let f = () => 0; for (;;) { const g = f; f = () => g }`),
		"deep recursion":             inside(`const f = (n) => f(n + 1) + 1; f(0)`),
		"deep JSON":                  inside(`let d = {}; for (let i = 0; i < 1e6; i++) d = {d}; alert.d = d`),
		"deep parse":                 inside(`JSON.parse("[".repeat(1e6) + "]".repeat(1e6))`),
		"deep result":                inside(`let d = {}; for (let i = 0; i < 3000; i++) d = {d}; alert.d = d`),
		"huge output":                inside(`alert.s = "x".repeat(2e7)`),
		"huge logs":                  inside(`for (;;) ctx.log("x".repeat(1e6))`),
		"logs without end":           inside(`for (let i = 0; i < 1e6; i++) ctx.log(i)`),
		"a log of a huge list":       inside(`ctx.log(Array(1e6).fill("x"))`),
		"huge error":                 inside(`throw new Error("x".repeat(2e7))`),
		"endless stack":              inside(`Error.stackTraceLimit = 1e9; const f = (n) => { if (n > 3000) throw new Error("deep"); f(n + 1) }; f(0)`),
		"stack of our own":           inside(`Error.prepareStackTrace = () => { for (;;) {} }; throw new Error("x")`),
		"prototypes":                 inside(`Object.prototype.toJSON = () => 5; Array.prototype.push = null; JSON.stringify = () => "{}"; String.prototype.slice = null; Function.prototype.call = null`),
		"prototypes that loop":       inside(`Object.defineProperty(Object.prototype, "alert", { get() { for (;;) {} } }); Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1 }`),
		"prototypes from JSON":       inside(`const a = JSON.parse('{"__proto__": {"x": 1}, "constructor": {"prototype": 1}}'); Object.assign(alert, a); alert.__proto__ = null`),
		"frozen globals":             inside(`Object.freeze(globalThis); Object.freeze(Object.prototype); for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k] } catch {}`),
		"waiting":                    inside(`Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`),
		"making code":                inside(`const F = (() => {}).constructor; F("for(;;){}")()`),
		"a huge program":             inside(`(0, eval)("a=[" + "1,".repeat(5e6) + "]")`),
		"modules":                    inside(`import("fs").then((m) => ctx.log(m)); import("std"); import("os")`),
		"finalizers":                 inside(`const r = new FinalizationRegistry(() => { for (;;) {} }); for (let i = 0; i < 1e5; i++) r.register({}, i)`),
		"brackets in the source":     "export default " + strings.Repeat("(", 30_000) + "1" + strings.Repeat(")", 30_000),
		"functions in functions":     "export default " + strings.Repeat("()=>", 15_000) + "1",
		"types in types":             "type A = " + strings.Repeat("Array<", 9_000) + "1" + strings.Repeat(">", 9_000) + "; export default (a) => a",
		"templates in templates":     "export default " + strings.Repeat("`${", 12_000) + "1" + strings.Repeat("}`", 12_000),
		"no text":                    "\x00\xff\xfe export default",
		"asking for the outside":     inside(`for (const n of ["require", "process", "fetch", "std", "os", "print", "setTimeout", "XMLHttpRequest", "WebAssembly", "host", "Deno", "Bun", "performance", "scriptArgs", "bjson", "navigator", "gc"]) if (n in globalThis) throw new Error("there is " + n)`),
	}
}

// hostileTemplates are templates that mean harm.
func hostileTemplates() map[string]string {
	return map[string]string{
		"a long loop":            `{{range 300000000}}{{end}}`,
		"loops in loops":         `{{range 100000}}{{range 100000}}{{range 100000}}{{end}}{{end}}{{end}}`,
		"doubling":               `{{$s := "xxxxxxxx"}}{{range 60}}{{$s = print $s $s}}{{end}}`,
		"doubling by printf":     `{{$s := "xxxxxxxx"}}{{range 60}}{{$s = printf "%s%s%s" $s $s $s}}{{end}}`,
		"keeping many":           `{{$s := "x"}}{{range 100000000}}{{$s = print "x" $s}}{{end}}`,
		"a width":                `{{printf "%1000000000d" 1}}`,
		"a precision":            `{{printf "%.1000000000f" 1.0}}`,
		"a width by a star":      `{{printf "%*d" 1000000000 1}}`,
		"a width in brackets":    `{{printf "%[2]*[1]d" 1 1000000000}}`,
		"many widths":            `{{printf "` + strings.Repeat("%999d", 15_000) + `" 1}}`,
		"quoting again":          `{{$s := "\""}}{{range 40}}{{$s = printf "%q" $s}}{{end}}`,
		"escaping again":         `{{$s := "&"}}{{range 40}}{{$s = js (html $s)}}{{end}}`,
		"much output":            `{{range 100000000}}0123456789{{end}}`,
		"a template in itself":   `{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`,
		"templates that breed":   `{{define "a"}}{{template "b" .}}{{template "b" .}}{{end}}{{define "b"}}{{template "a" .}}{{end}}{{template "a" .}}`,
		"deep braces":            strings.Repeat(`{{if 1}}`, 6_000) + strings.Repeat(`{{end}}`, 6_000),
		"deep parentheses":       `{{` + strings.Repeat("(", 40_000) + "1" + strings.Repeat(")", 40_000) + `}}`,
		"a long chain":           `{{1` + strings.Repeat(" | print", 12_000) + `}}`,
		"many variables":         strings.Repeat(`{{$a := 1}}`, 9_000),
		"joining again":          `{{$s := join "," .Alert.Risks}}{{range 60}}{{$s = print $s (join $s $.Alert.Risks)}}{{end}}`,
		"JSON of JSON":           `{{$s := json .}}{{range 60}}{{$s = json (print $s)}}{{end}}`,
		"a huge date":            `{{date (printf "%0999d" 1) .Alert.OccurredAt}}`,
		"calling":                `{{call .}}{{.Alert.Key.String}}{{js}}{{html}}`,
		"asking for the outside": `{{env "PATH"}}{{readFile "/etc/passwd"}}{{.Func}}`,
	}
}

const maxWorker = 200 << 20

// Every hostile lambda and template ends in time, no worker grows beyond its
// memory, the next lambda works at once, and this process does not grow. The
// clock is also that of whatever else the machine does, so what was late is
// looked at again: a source that escapes does so each time.
func TestHostileSourcesAreContained(t *testing.T) {
	if slack > 1 {
		t.Skip("workers with the race detector in them say nothing of time and memory; the other tests look for races")
	}
	const limit = 150 * time.Millisecond
	c := crew(t, Options{Size: 1, Deadline: limit})
	once := func(t *testing.T, run func() string) (late error) {
		t.Helper()
		began := time.Now()
		ended := run()
		took := time.Since(began)
		after := c.RunLambda(t.Context(), call(`export default (a) => ({...a, ok: Object.keys({}).length === 0})`))
		peak := peakOfWorkers(t)
		t.Logf("%v, until now at most %d MiB, %.120q", took.Round(time.Millisecond), peak>>20, ended)
		if peak > maxWorker {
			t.Errorf("a worker grew to %d MiB", peak>>20)
		}
		switch {
		case after.Err != nil || !strings.Contains(string(after.Alert), `"ok":true`):
			return fmt.Errorf("the next lambda gave %s, %w", after.Alert, after.Err)
		case took > limit+300*time.Millisecond:
			return fmt.Errorf("took %v", took)
		}
		return nil
	}
	check := func(t *testing.T, run func() string) {
		t.Helper()
		late := once(t, run)
		for tries := 1; late != nil && tries < 5; tries++ {
			t.Logf("once more, as %v", late)
			late = once(t, run)
		}
		if late != nil {
			t.Error(late)
		}
	}
	c.RunLambda(t.Context(), call(`export default (a) => a`))
	before := heapInUse()
	lambdas, templates := hostileLambdas(), hostileTemplates()
	for _, name := range slices.Sorted(maps.Keys(lambdas)) {
		t.Run(name, func(t *testing.T) {
			check(t, func() string {
				r := c.RunLambda(t.Context(), call(lambdas[name]))
				return fmt.Sprint(r.Err, string(r.Alert))
			})
		})
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		t.Run(name, func(t *testing.T) {
			for _, form := range []string{"true", "html"} {
				check(t, func() string {
					r := c.RenderTemplate(t.Context(), templateCall(form, templates[name]))
					return fmt.Sprint(r.Err, r.Text)
				})
			}
		})
	}
	if grown := heapInUse() - before; grown > 20<<20 {
		t.Errorf("this process grew by %d MiB", grown>>20)
	}
}

// The outside is not only out of reach, its names are not there.
func TestGlobals(t *testing.T) {
	c := crew(t, Options{Size: 1})
	r := c.RunLambda(t.Context(), call(`export default (a, ctx) => { ctx.log(Object.getOwnPropertyNames(globalThis).sort().join(" ")); return null }`))
	want := "AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error"
	if r.Err != nil || !strings.HasPrefix(r.Logs[0], want) {
		t.Fatal(r.Logs, r.Err)
	}
	for _, name := range []string{"host", "std", "os", "print", "setTimeout", "fetch", "process", "require", "performance", "scriptArgs"} {
		if slices.Contains(strings.Fields(r.Logs[0]), name) {
			t.Errorf("there is %s", name)
		}
	}
}

// peakOfWorkers is the most memory that a worker had that is no more.
func peakOfWorkers(t *testing.T) int64 {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &use); err != nil {
		t.Fatal(err)
	}
	return use.Maxrss << 10
}

func heapInUse() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

func FuzzLambda(f *testing.F) {
	f.Add(`export default (alert, ctx) => alert`)
	f.Add("type A = { key?: string };\nexport default function (a: A) { throw new Error(`no ${a.key}`) }")
	f.Add(`export default (a, ctx) => ({ alert: { ...a, n: Math.random(), t: ctx.now, u: ctx.parseUrl("https://x/?q") }, logs: [1] })`)
	f.Add(`enum E { A = 1 }; class C<T> { #x = 1n; static { C.y = /a+/u } }; export default () => null`)
	f.Add(`import x from "y"; export default async (a) => { await x; return a }`)
	c := crew(f, Options{Deadline: 100 * time.Millisecond * slack})
	f.Fuzz(func(t *testing.T, source string) {
		began := time.Now()
		checked := c.CheckLambda(t.Context(), source)
		r := c.RunLambda(t.Context(), call(source))
		if r.Err == nil && checked == nil && r.Alert != nil && r.Alert[0] != '{' {
			t.Errorf("gave %s", r.Alert)
		}
		if took := time.Since(began); took > 5*time.Second*slack {
			t.Errorf("took %v", took)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("true", `{{range $i, $r := .Alert.Risks}}{{if gt $i 0}}, {{end}}{{upper $r | cut 5}}{{else}}none{{end}}`)
	f.Add("html", `{{define "a"}}<a href="{{.}}">{{end}}{{template "a" .Alert.Key}}{{with .Ticket}}{{.Status}}{{end}}`)
	f.Add("true", `{{printf "%05d" .Alert.RiskScore}}{{date "2006" .Alert.OccurredAt}}{{$x := json .}}{{slice $x 0 2}}`)
	f.Add("json", `{"text": "{{.Alert.Summary}}"}`)
	c := crew(f, Options{Deadline: 100 * time.Millisecond * slack})
	f.Fuzz(func(t *testing.T, form, text string) {
		began := time.Now()
		_ = c.CheckTemplate(t.Context(), templateCall(form, text))
		if r := c.RenderTemplate(t.Context(), templateCall(form, text)); len(r.Text) > 100<<10 {
			t.Errorf("gave %d bytes", len(r.Text))
		}
		if took := time.Since(began); took > 5*time.Second*slack {
			t.Errorf("took %v", took)
		}
	})
}
