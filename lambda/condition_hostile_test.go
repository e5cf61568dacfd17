package lambda

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
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
		"zones":                  loops(6, `hourIn("Europe/Oslo", va % 10, 11) || weekdayIn("Asia/Tokyo", "MON", "TUE")`),
		"zones from outside":     `alert.payload.L.all(a, hourIn("Europe/" + string(a) + alert.payload.B, 1, 2) || true)`,
		"lower and upper":        `alert.payload.B` + strings.Repeat(".upper().lower()", 45) + ` == ""`,
		"lower in loops":         loops(5, `lower(alert.payload.B) != ""`),
		"years and years":        strings.Repeat(`timestamp("9999-12-31T23:59:59Z") + duration("2540400h") > now || `, 50) + "true",
		"long durations":         `duration("1" + alert.payload.B.upper() + "h") > duration("9223372036854775807ns")`,
		"overflow":               `9223372036854775807 * alert.riskScore > 0 || -9223372036854775807 - 5 > 0 || 5 % 0 == 1 || 1 / 0 == 1`,
		"bytes of the big":       `bytes(alert.payload.B + alert.payload.B) + bytes(alert.payload.B) == b"" || ` + ten + `.map(a, bytes(alert.payload.B)).map(b, b + b + b + b).size() == 0`,
		"the dynamic":            `dyn(alert.payload.L).all(a, dyn(alert.payload.L).exists(b, dyn(b) > dyn(a)))`,
		"a list of literals":     "[" + strings.Repeat("1,", 1_900) + "1].all(a, [" + "1,2,3].all(b, b > a))",
		"a map of literals":      "{" + strings.TrimSuffix(strings.Repeat(`"k": [{}],`, 390), ",") + "} == {}",
		"maps out of loops":      ten + `.map(a, ` + ten + `.map(b, ` + ten + `.map(c, {"a": [a, b, c, alert.payload], "b": alert.payload.L + alert.payload.L}))).size() == 1`,
		"filters of filters":     `alert.payload.L` + strings.Repeat(".filter(a, a >= 0.0)", 90) + `.size() == 0`,
		"in and in":              `alert.payload.L.all(a, a in alert.payload.L || 1.0 in alert.payload.L)`,
		"quotes of the big":      `strings.quote(alert.payload.B) == ""`,
		"a text of conversions":  ten + `.map(a, string(bytes(alert.payload.B))).map(b, string(bytes(b + b))).size() == 0`,
		"networks":               loops(6, `inCIDR(alert.payload.B, "10.0.0.0/8") || inCIDR("10.0.0.1", alert.payload.B)`),
		"many clauses":           strings.Repeat("!(now.getHours()>-1)||", 170) + "alert.payload.B == ''",
		"many names":             strings.Repeat("alert.payload.B==''||", 180) + "false",
		"patterns by the clause": strings.Repeat(`alert.payload.B.matches("^x*y")||`, 110) + "false",
	}
}

func hostileAlert() dispatch.Alert { return bigAlert(400_000, 50_000, 9_000) }

// bigAlert has a text, a list and lists in lists of these lengths.
func bigAlert(text, list, nested int) dispatch.Alert {
	a := alert()
	a.Payload = dispatch.JSON(`{"B": "` + strings.Repeat("x", text) + `", "L": [` + strings.TrimSuffix(strings.Repeat("0,", list), ",") +
		`], "N": ` + strings.Repeat("[", nested) + strings.Repeat("]", nested) + `}`)
	return a
}

const (
	mostWork   = (maxTime + 300*time.Millisecond) * slack
	mostGrowth = 25 << 20 // bytes
)

// Each ends after little work, whatever it answers, and needs little memory. What
// counts is the time on the processor, which other programs do not lengthen as
// they do the clock's; the race detector makes all of it several times slower,
// hence the slack.
func TestHostileConditionsAreContained(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what is seen is what is needed, and little that lies about
	c, a := conditions(t), hostileAlert()
	for name, source := range hostile() {
		t.Run(name, func(t *testing.T) {
			highest := growth(t)
			err := c.Check(source)
			started := worked(t)
			if err == nil {
				_, _, err = c.Evaluate(t.Context(), source, a, nil, at)
			}
			took, grew := worked(t)-started, highest()
			if took > mostWork {
				t.Errorf("took %v of the processor", took)
			}
			if grew > mostGrowth {
				t.Errorf("grew by %d MiB", grew>>20)
			}
			t.Logf("%v, %d KiB more, %.200v", took.Round(time.Millisecond), grew>>10, err)
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

// growth watches how much more memory there is in use, until asked for the most.
func growth(t *testing.T) func() uint64 {
	t.Helper()
	runtime.GC()
	before, highest := inUse(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for look := time.NewTicker(time.Millisecond); ; {
			highest = max(highest, inUse())
			select {
			case <-look.C:
			case <-stop:
				look.Stop()
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return highest - min(before, highest)
	}
}

func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func FuzzCondition(f *testing.F) {
	for _, source := range hostile() {
		f.Add(source)
	}
	for _, source := range []string{
		`alert.severity == "HIGH" && ticket != null`, `!(has(alert.key) ? alert.riskScore > 1 : ticket == null) || hourIn("UTC", 8, 18) // why`,
		`alert.attributes.country.exists(c, c == 'NO' && true) || r"" != b"x" || """a"b""" in ["c"]`, `alert.attributes.?a["b"][1].orValue(2) in {1: 2}`,
		`weekdayIn(alert.occurredAt, "Europe/Oslo", "SAT", "SUN") && lower(alert.key).matches("^j.*e$") && inCIDR(alert.attributes.ip, "10.0.0.0/8")`,
	} {
		f.Add(source)
	}
	c, a := conditions(f), bigAlert(4_000, 200, 100)
	f.Fuzz(func(t *testing.T, source string) {
		started := worked(t)
		checked := c.Check(source)
		_, clauses, err := c.Evaluate(t.Context(), source, a, ticket(), at)
		for _, clause := range clauses {
			if clause.Expression == "" || !json.Valid(clause.Values) {
				t.Errorf("clause %q saw %s", clause.Expression, clause.Values)
			}
		}
		if checked != nil && (err == nil || err.Error() != checked.Error()) {
			t.Errorf("check says %v, evaluation %v", checked, err)
		}
		if checked == nil {
			authors(t, c, source)
		}
		if took := worked(t) - started; took > 2*mostWork { // a check, an evaluation, and what this test does
			t.Errorf("took %v", took)
		}
	})
}
