package inside

import (
	"testing"
	"time"

	"tocsin/lambda/internal/wire"
)

func newTestScripts(tb testing.TB) *scripts {
	tb.Helper()
	s, err := newScripts(wire.Limits{Deadline: time.Minute, Memory: 64 << 20, Output: 256 << 10})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func BenchmarkScript(b *testing.B) {
	s := newTestScripts(b)
	job := wire.Job{Do: wire.RunLambda, Source: `export default (a, ctx) => ctx.config.x ? a : { ...a, severity: "LOW" }`, Alert: []byte(`{"severity": "HIGH"}`)}
	for b.Loop() {
		if a := s.run(job); a.Fault != nil {
			b.Fatal(a.Fault)
		}
	}
}
