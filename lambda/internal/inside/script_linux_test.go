package inside

import (
	"testing"

	"tocsin/lambda/internal/wire"
)

// A machine leaves nothing behind, however its call ended: a worker lives for
// thousands of them.
func TestMachinesLeaveNothingBehind(t *testing.T) {
	if raced {
		t.Skip("the race detector maps memory of its own")
	}
	s := newTestScripts(t)
	jobs := []wire.Job{
		{Do: wire.RunLambda, Source: `export default (a) => ({ ...a, x: [1, 2, { y: "z".repeat(1000) }] })`},
		{Do: wire.RunLambda, Source: `export default (a) => null`},
		{Do: wire.RunLambda, Source: `export default (a, ctx) => { ctx.log(ctx.parseUrl("https://x/"), ctx.base64.encode("x")); throw new Error("x") }`},
		{Do: wire.RunLambda, Source: `null.x; export default (a) => a`},
		{Do: wire.RunLambda, Source: `export default (a) => { Promise.resolve(a).then(() => 1); a.self = a; return 5 }`},
		{Do: wire.RunLambda, Source: `export default (a) => { const f = () => f() + 1; return f() }`},
		{Do: wire.CheckLambda, Source: `export default (a) => a`},
	}
	round := func() {
		for _, job := range jobs {
			job.Alert = []byte(`{"severity": "HIGH"}`)
			s.run(job)
		}
	}
	for range 3 {
		round()
	}
	before, err := mapped()
	if err != nil {
		t.Fatal(err)
	}
	for range 15 {
		round()
	}
	after, err := mapped()
	if grown := after - before; err != nil || grown > 8<<20 { // a machine takes 300 KiB
		t.Errorf("%d KiB are left of 105 calls, %v", grown>>10, err)
	}
}
