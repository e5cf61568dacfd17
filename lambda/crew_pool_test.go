package lambda

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	quick   = `export default (a) => a`
	endless = `export default (a) => { for (;;) {} }`
)

// hand is the worker of a crew of one; it must be idle.
func (c *Crew) hand(t *testing.T) *worker {
	t.Helper()
	w := <-c.places
	c.places <- w
	if w == nil {
		t.Fatal("nobody works")
	}
	return w
}

func mustRun(t *testing.T, c *Crew) {
	t.Helper()
	if r := c.RunLambda(t.Context(), call(quick)); r.Err != nil || r.Alert == nil {
		t.Errorf("the next lambda gave %s, %v", r.Alert, r.Err)
	}
}

// The same call gives the same wherever it runs, and another seed gives another.
func TestSameCallSameResult(t *testing.T) {
	rolls := call(`export default (a) => ({ n: [...Array(20)].map(Math.random), t: [Date.now(), new Date().toString(), Date()], l: Object.keys(a) })`)
	var got []string
	for range 2 {
		c := crew(t, Options{Size: 1})
		for range 3 {
			r := c.RunLambda(t.Context(), rolls)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			got = append(got, string(r.Alert))
		}
	}
	if len(slices.Compact(slices.Clone(got))) != 1 {
		t.Errorf("got different results: %v", got)
	}
	rolls.Seed = "alert-2"
	if r := crew(t, Options{Size: 1}).RunLambda(t.Context(), rolls); string(r.Alert) == got[0] {
		t.Error("another seed gives the same")
	}
}

// Nothing of a call is left for the next one in the same worker.
func TestCallsKnowNothingOfEachOther(t *testing.T) {
	c := crew(t, Options{Size: 1})
	count := call(`let n = 0; globalThis.m ??= 0; Object.prototype.leak ??= 0;
export default (a, ctx) => { Object.prototype.leak++; ctx.log(++n, ++globalThis.m, Object.prototype.leak); return null }`)
	for range 3 {
		if r := c.RunLambda(t.Context(), count); r.Err != nil || !slices.Equal(r.Logs, []string{"1 1 1"}) {
			t.Errorf("got %v, %v", r.Logs, r.Err)
		}
	}
}

func TestLogsAreBounded(t *testing.T) {
	c := crew(t, Options{Size: 1})
	r := c.RunLambda(t.Context(), call(`export default (a, ctx) => { for (let i = 0; i < 150; i++) ctx.log("é".repeat(5000)); return a }`))
	if r.Err != nil || len(r.Logs) != 101 || len([]rune(r.Logs[0])) != 1001 || r.Logs[100] != "… more lines are left out" {
		t.Errorf("got %d lines, %v", len(r.Logs), r.Err)
	}
}

// Logs tell how far a lambda came before it failed.
func TestLogsOfAFailure(t *testing.T) {
	c := crew(t, Options{Size: 1, Deadline: 300 * time.Millisecond * slack})
	for _, source := range []string{
		`export default (a, ctx) => { ctx.log("here"); null.x }`,
		`export default (a, ctx) => { ctx.log("here"); for (;;) {} }`,
	} {
		if r := c.RunLambda(t.Context(), call(source)); r.Err == nil || !slices.Equal(r.Logs, []string{"here"}) {
			t.Errorf("got %v, %v", r.Logs, r.Err)
		}
	}
}

// A worker that dies of what it does, or is killed meanwhile, costs that call alone.
func TestWorkerKilledMeanwhile(t *testing.T) {
	c := crew(t, Options{Size: 1, Deadline: time.Minute})
	mustRun(t, c)
	w := c.hand(t)
	time.AfterFunc(50*time.Millisecond, func() { _ = w.process.Process.Kill() })
	r := c.RunLambda(t.Context(), call(endless))
	if r.Err == nil || !strings.Contains(r.Err.Error(), "its worker died") {
		t.Errorf("got %v", r.Err)
	}
	mustRun(t, c)
}

// A worker that was killed while it had nothing to do costs no call.
func TestWorkerKilledIdle(t *testing.T) {
	c := crew(t, Options{Size: 1})
	for range 3 {
		mustRun(t, c)
		w := c.hand(t)
		_ = w.process.Process.Kill()
		<-w.gone
	}
	mustRun(t, c)
}

func TestCallerThatLeaves(t *testing.T) {
	c := crew(t, Options{Size: 1, Deadline: time.Minute})
	mustRun(t, c)
	left := errors.New("the caller has left")
	ctx, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { leave(left) })
	began := time.Now()
	if r := c.RunLambda(ctx, call(endless)); !errors.Is(r.Err, left) {
		t.Errorf("got %v", r.Err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the call went on for %v", took)
	}
	if r := c.RunLambda(ctx, call(quick)); !errors.Is(r.Err, left) {
		t.Errorf("got %v", r.Err)
	}
	mustRun(t, c)
}

func TestNobodyIsFree(t *testing.T) {
	c := crew(t, Options{Size: 1, Wait: 50 * time.Millisecond})
	w := <-c.places // busy
	r := c.RunLambda(t.Context(), call(quick))
	c.places <- w
	if r.Err == nil || !strings.Contains(r.Err.Error(), "no worker was free within 50ms") {
		t.Errorf("got %v", r.Err)
	}
	mustRun(t, c)
}

// Lambdas that hang hold up one worker each for their deadline, and the others
// come through between them.
func TestHangingLambdasStarveNobody(t *testing.T) {
	const limit = 200 * time.Millisecond * slack
	c := crew(t, Options{Size: 2, Deadline: limit, Wait: 10 * time.Second * slack})
	var calls sync.WaitGroup
	for i := range 64 {
		source := quick
		if i%16 == 0 {
			source = endless
		}
		calls.Go(func() {
			r := c.RunLambda(t.Context(), call(source))
			if (r.Err == nil) != (source == quick) {
				t.Errorf("call %d gave %v", i, r.Err)
			}
			if r.Duration > 4*(limit+500*time.Millisecond)*slack {
				t.Errorf("call %d took %v", i, r.Duration)
			}
		})
	}
	calls.Wait()
}

// Close ends a crew that is at work, and leaves no process behind.
func TestClose(t *testing.T) {
	c := NewCrew(Options{Size: 2, Deadline: 300 * time.Millisecond * slack})
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() { c.RunLambda(t.Context(), call(endless)) })
	}
	mustRunOrEnd := c.RunLambda(t.Context(), call(quick))
	if mustRunOrEnd.Err != nil {
		t.Error(mustRunOrEnd.Err)
	}
	c.Close()
	calls.Wait()
	if r := c.RunLambda(t.Context(), call(quick)); !errors.Is(r.Err, errClosed) {
		t.Errorf("after the end: %v", r.Err)
	}
	if err := c.CheckLambda(t.Context(), quick); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
	c.Close()
}

func TestTooMuchIsNotSent(t *testing.T) {
	c := crew(t, Options{Size: 1})
	large := call(quick)
	large.Config = []byte(`"` + strings.Repeat("x", maxJob) + `"`)
	if r := c.RunLambda(t.Context(), large); r.Err == nil || !strings.Contains(r.Err.Error(), "at most 8 MiB") {
		t.Errorf("got %v", r.Err)
	}
	broken := call(quick)
	broken.Alert = []byte(`{"a":`)
	if r := c.RunLambda(t.Context(), broken); r.Err == nil {
		t.Error("broken JSON was taken")
	}
	mustRun(t, c)
}

func BenchmarkLambda(b *testing.B) {
	c := crew(b, Options{Size: 1, Deadline: time.Minute})
	one := call(`interface A { severity: string; key: string; attributes: { ip: string } }
export default (alert: A, ctx) => {
  if (ctx.cidr(alert.attributes.ip, "192.168.0.0/16")) return null
  return ctx.config.admins.includes(alert.key) ? { ...alert, severity: "CRITICAL" } : alert
}`)
	var took []time.Duration
	for b.Loop() {
		r := c.RunLambda(b.Context(), one)
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		took = append(took, r.Duration)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkTemplate(b *testing.B) {
	c := crew(b, Options{Size: 1, Deadline: time.Minute})
	one := templateCall("html", `<p>{{.Alert.Summary}}</p>{{range .Alert.Risks}}<li>{{upper .}}</li>{{end}}`)
	for b.Loop() {
		if r := c.RenderTemplate(b.Context(), one); r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}
