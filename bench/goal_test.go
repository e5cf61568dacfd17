package main

import "testing"

func TestVerdict(t *testing.T) {
	r := row{Ours: reading{Value: 3000, P50: 1, P99: 60}, Ratio: ratio{Median: 0.6}}
	for _, c := range []struct {
		goal goal
		want string
	}{
		{perSecond(3000), "ok"},
		{perSecond(4000), "short by 25 %"},
		{perSecond(3001), "short by 1 %"},
		{ofLimit(0.6), "ok"},
		{ofLimit(0.8), "short by 25 %"},
		{p50(1), "ok"},
		{p99(40), "over by 50 %"},
		{most(2000, "MiB"), "over by 50 %"},
	} {
		if got := c.goal.verdict(&r); got != c.want {
			t.Errorf("%s: %s, want %s", c.goal.text, got, c.want)
		}
	}
	judged := r.judge(perSecond(4000), p99(40))
	if judged.Goal != "≥ 4,000/s; p99 ≤ 40 ms" || judged.Verdict != "short by 25 %; over by 50 %" {
		t.Errorf("two goals are judged as %q and %q", judged.Goal, judged.Verdict)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "–", 0.25: "0.250", 7.25: "7.2", 100: "100", 1234.6: "1,235", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
