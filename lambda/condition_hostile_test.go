package lambda

import (
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/dispatch"
)

// hostile are conditions that mean harm; B is a text of 400 KB in the payload,
// L a list of 100,000 numbers, N lists nested as deep as JSON may.
func hostile() map[string]string {
	ten := "[0,1,2,3,4,5,6,7,8,9]"
	loops := func(n int, inner string) string {
		var out strings.Builder
		for i := range n {
			out.WriteString(ten + ".all(v" + string(rune('a'+i)) + ", ")
		}
		return out.String() + inner + strings.Repeat(")", n)
	}
	double := `"x"`
	for i := range 30 {
		v := "d" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		double = "[" + double + "].map(" + v + ", " + v + "+" + v + ")[0]"
	}
	return map[string]string{
		"loops in loops":         loops(9, "true"),
		"loops over a big list":  `alert.payload.L.all(a, alert.payload.L.all(b, a + b >= 0.0))`,
		"loops over big equals":  `alert.payload.L.all(a, alert.payload == alert.payload)`,
		"equals and equals":      strings.TrimSuffix(strings.Repeat(`alert.payload == alert.payload && `, 110), " && "),
		"equals of lists":        strings.TrimSuffix(strings.Repeat(`alert.payload.L == alert.payload.L && `, 100), " && "),
		"doubling by maps":       double + ` == ""`,
		"doubling a big text":    `[alert.payload.B].map(a, a+a+a+a+a+a+a+a).map(b, b+b+b+b+b+b+b+b).map(c, c+c+c+c+c+c+c+c).size() == 1`,
		"adding big texts":       strings.TrimSuffix(strings.Repeat("alert.payload.B+", 200), "+") + ` == ""`,
		"adding big lists":       strings.TrimSuffix(strings.Repeat("alert.payload.L+", 200), "+") + ` == []`,
		"lists of lists":         ten + `.map(a, ` + ten + `.map(b, ` + ten + `.map(c, ` + ten + `.map(d, ` + ten + `.map(e, ` + ten + `.map(f, alert.payload.L)))))).size() == 0`,
		"replace nothing":        `alert.payload.B.replace("", alert.payload.B) == ""`,
		"join with a big text":   `alert.payload.B.split("").join(alert.payload.B) == ""`,
		"format":                 `"%s%s%s".format([alert.payload, alert.payload, alert.payload]) == ""`,
		"search for itself":      `alert.payload.B.indexOf(alert.payload.B.substring(0, 200000) + "b") == 0`,
		"split into characters":  strings.TrimSuffix(strings.Repeat(`alert.payload.B.split("").size() > 0 && `, 100), " && "),
		"reverse and reverse":    `alert.payload.B` + strings.Repeat(".reverse()", 90) + ` == ""`,
		"upper and lower":        `alert.payload.B` + strings.Repeat(".upperAscii().lowerAscii()", 45) + ` == ""`,
		"a slow pattern":         `alert.payload.B.matches("(x+x+)+(a|aa)+y")`,
		"a huge pattern":         `alert.payload.B.matches("((a{100}){10}b){500}")`,
		"many huge patterns":     strings.TrimSuffix(strings.Repeat(`alert.key.matches("`+strings.Repeat("a{1000}", 60)+`" + alert.key) || `, 8), " || "),
		"a pattern from outside": `alert.key.matches(alert.payload.B)`,
		"brackets":               strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
		"parentheses":            strings.Repeat("(", 1900) + "true" + strings.Repeat(")", 1900),
		"negations":              strings.Repeat("!", 3900) + "true",
		"questions":              strings.Repeat("true?true:", 390) + "true",
		"macros in macros":       strings.Repeat("[1].exists(x, ", 90) + "true" + strings.Repeat(")", 90),
		"half of a source":       strings.Repeat(`alert.attributes[`, 230),
		"the deep":               `alert.payload.N == alert.payload.N`,
		"text of the deep":       `string(alert.payload.L.size()) == "1" || type(alert.payload.N) == list && alert.payload.N in alert.payload.N`,
		"optional chains":        `alert.payload` + strings.Repeat(".?x", 80) + `.hasValue()`,
		"times":                  loops(6, `now.getHours("Europe/Oslo") >= 0`),
	}
}

func hostileAlert() dispatch.Alert {
	a := alert()
	a.Payload = dispatch.JSON(`{"B": "` + strings.Repeat("x", 400_000) + `", "L": [` + strings.TrimSuffix(strings.Repeat("0,", 50_000), ",") +
		`], "N": ` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`)
	return a
}

// Each ends after little work, whatever it answers, and allocates little. What
// counts is the time on the processor, which other programs do not lengthen as
// they do the clock's; the race detector makes all of it several times slower,
// hence the slack.
func TestHostileConditionsAreContained(t *testing.T) {
	c, a := conditions(t), hostileAlert()
	for name, source := range hostile() {
		t.Run(name, func(t *testing.T) {
			before, started := allocated(), worked(t)
			err := c.Check(source)
			if err == nil {
				_, _, err = c.Evaluate(t.Context(), source, a, nil, at)
			}
			took, grew := worked(t)-started, allocated()-before
			if took > time.Second*slack {
				t.Errorf("took %v of the processor", took)
			}
			if grew > 160<<20 {
				t.Errorf("allocated %d MiB", grew>>20)
			}
			t.Logf("%v, %d KiB allocated, %.200v", took.Round(time.Millisecond), grew>>10, err)
		})
	}
}

// worked is how long this process has been on the processor.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func FuzzCondition(f *testing.F) {
	for _, source := range hostile() {
		f.Add(source)
	}
	f.Add(`alert.severity == "HIGH" && ticket != null`)
	c, a := conditions(f), hostileAlert()
	f.Fuzz(func(t *testing.T, source string) {
		started := worked(t)
		checked := c.Check(source)
		_, _, err := c.Evaluate(t.Context(), source, a, ticket(), at)
		if checked != nil && (err == nil || err.Error() != checked.Error()) {
			t.Errorf("check says %v, evaluation %v", checked, err)
		}
		if took := worked(t) - started; took > time.Second*slack {
			t.Errorf("took %v", took)
		}
	})
}
