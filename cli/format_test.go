package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustRead reads a file of testdata.
func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

// lineOf is a line of a file, from 1.
func lineOf(t *testing.T, name string, number int) []byte {
	t.Helper()
	return bytes.Split(mustRead(t, name), []byte("\n"))[number-1]
}

// TestFormats: a line becomes exactly that alert. The payload, where there is
// one, is the line as it came.
func TestFormats(t *testing.T) {
	for _, test := range []struct {
		format, file string
		line         int
		want         string // without payload and idempotency key; "" raises nothing
	}{
		{"eve", "eve.jsonl", 1, ""},
		{"eve", "eve.jsonl", 2, `{"behaviorModel":"ET MALWARE Example Trojan Checkin","behavior":"Malware Command and Control Activity Detected",
			"summary":"ET MALWARE Example Trojan Checkin: 192.0.2.10:51240 → 198.51.100.9:80 TCP","key":"192.0.2.10","keyType":"ip","severity":"HIGH","source":"suricata",
			"occurredAt":"2026-03-14T09:26:21.275Z","attributes":{"src_port":51240,"dest_ip":"198.51.100.9","dest_port":80,"proto":"TCP","in_iface":"eth0",
			"flow_id":1676750115628518,"action":"allowed","gid":1,"signature_id":2027865,"rev":2}}`},
		{"eve", "eve.jsonl", 8, `{"behaviorModel":"ET EXPLOIT Possible SMB Probe","behavior":"Attempted Administrator Privilege Gain",
			"summary":"ET EXPLOIT Possible SMB Probe: [2001:db8::17]:49152 → [2001:db8:1::80]:445 TCP","key":"2001:db8::17","keyType":"ip","severity":"HIGH","source":"sensor-a",
			"occurredAt":"2026-03-14T09:26:24.103Z","attributes":{"src_port":49152,"dest_ip":"2001:db8:1::80","dest_port":445,"proto":"TCP","in_iface":"eth0",
			"flow_id":1676750115676032,"action":"allowed","gid":1,"signature_id":2024218,"rev":2}}`},
		{"eve", "eve.jsonl", 10, `{"behaviorModel":"GPL ICMP PING *NIX","behavior":"Misc activity","summary":"GPL ICMP PING *NIX: 192.0.2.77 → 203.0.113.80 ICMP",
			"key":"192.0.2.77","keyType":"ip","severity":"LOW","source":"suricata","occurredAt":"2026-03-14T09:26:25.379Z",
			"attributes":{"dest_ip":"203.0.113.80","proto":"ICMP","in_iface":"eth0","flow_id":1676750115691870,"action":"allowed","gid":1,"signature_id":2100366,"rev":8}}`},
		{"eve", "eve.jsonl", 21, ""}, // a drop tells its rule too, and is no alert
		{"eve", "eve.jsonl", 26, `{"behaviorModel":"ET POLICY RDP connection confirm","behavior":"Not Suspicious Traffic",
			"summary":"ET POLICY RDP connection confirm: 192.0.2.22:52700 → 198.51.100.62:3389 TCP","key":"192.0.2.22","keyType":"ip","source":"suricata",
			"occurredAt":"2026-03-14T09:26:32.447Z","attributes":{"src_port":52700,"dest_ip":"198.51.100.62","dest_port":3389,"proto":"TCP","in_iface":"eth0",
			"flow_id":1676750115810655,"action":"allowed","gid":1,"signature_id":2014386,"rev":5}}`}, // no severity is 255: the model decides
		{"falco", "falco.jsonl", 2, `{"behaviorModel":"Read sensitive file untrusted","behavior":"syscall",
			"summary":"09:27:10.000000001: Warning Sensitive file opened for reading by non-trusted program (file=/etc/shadow process=cat user=root)",
			"key":"node-1","keyType":"asset","severity":"MEDIUM","source":"falco","occurredAt":"2026-03-14T09:27:10Z",
			"attributes":{"evt.time":1773480430000000001,"fd.name":"/etc/shadow","proc.aname[2]":null,"proc.name":"cat","user.name":"root"}}`},
		{"falco", "falco.jsonl", 4, `{"behaviorModel":"K8s Secret Created","behavior":"k8s_audit","summary":"09:27:12.000000000: Error K8s Secret Created (user=admin secret=token ns=default)",
			"severity":"HIGH","source":"falco","occurredAt":"2026-03-14T09:27:12Z","attributes":{"ka.user.name":"admin","ka.target.name":"token","jevt.time":"09:27:12.000000000"}}`},
		{"falco", "falco.jsonl", 5, `{"behaviorModel":"Contact K8S API Server From Container","behavior":"syscall","summary":"Contact K8S API Server From Container",
			"key":"node-3","keyType":"asset","severity":"INFO","source":"falco","occurredAt":"2026-03-14T09:27:13.5Z"}`},
		{"falco", "falco.jsonl", 6, `{"behaviorModel":"Test rule","behavior":"quiet","summary":"Debug test","key":"node-3","keyType":"asset","severity":"INFO","source":"falco"}`},
		{"tocsin", "alerts.jsonl", 1, string(lineOf(t, "alerts.jsonl", 1))},
	} {
		line := lineOf(t, test.file, test.line)
		got, err := formats[test.format](line, "key-1")
		if err != nil || (got == nil) != (test.want == "") {
			t.Errorf("%s line %d gave %s, %v", test.file, test.line, got, err)
		}
		if test.want == "" || err != nil {
			continue
		}
		alert := decode(t, got)
		if alert["idempotencyKey"] != "key-1" {
			t.Errorf("%s line %d has the key %v", test.file, test.line, alert["idempotencyKey"])
		}
		if payload := alert["payload"]; test.format != "tocsin" && !cmp.Equal(payload, any(decode(t, line))) {
			t.Errorf("%s line %d: the payload is not the line: %v", test.file, test.line, payload)
		}
		delete(alert, "idempotencyKey")
		delete(alert, "payload")
		if diff := cmp.Diff(decode(t, []byte(test.want)), alert); diff != "" {
			t.Errorf("%s line %d (-want +got):\n%s", test.file, test.line, diff)
		}
	}
}

// TestOwnKey: an idempotency key that an alert brings is kept.
func TestOwnKey(t *testing.T) {
	for given, want := range map[string]string{`"mine"`: "mine", `null`: "made", `""`: "made"} {
		got, err := fromTocsin([]byte(`{"behaviorModel":"m","summary":"s","idempotencyKey":`+given+`}`), "made")
		if err != nil || decode(t, got)["idempotencyKey"] != want {
			t.Errorf("with the key %s: %s, %v; want %s", given, got, err, want)
		}
	}
}

// TestWrongLines: each says which field is wrong, and what to do.
func TestWrongLines(t *testing.T) {
	for _, test := range []struct{ format, line, want string }{
		{"tocsin", `[]`, "is not a JSON object; give one alert a line"},
		{"tocsin", `null`, "is not a JSON object; give one alert a line"},
		{"tocsin", `"text"`, "is not a JSON object; give one alert a line"},
		{"tocsin", `{"summary":"s"}`, "behaviorModel: is missing; give some text"},
		{"tocsin", `{"behaviorModel":"m","summary":null}`, "summary: is missing; give some text"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","behaviourModel":"m"}`, `"behaviourModel": is not a field of an alert; there are attributes, behavior, behaviorModel`},
		{"tocsin", `{"behaviorModel":7,"summary":"s"}`, "behaviorModel: is not text; put it in quotes"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","severity":"high"}`, "severity: is not one of INFO, LOW, MEDIUM, HIGH, CRITICAL"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","riskScore":80.5}`, "riskScore: is not a whole number of 32 bits; give one such as 80"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","riskScore":2147483648}`, "riskScore: is not a whole number"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","risks":"T1110"}`, `risks: is not a list of texts; give one such as ["T1110"]`},
		{"tocsin", `{"behaviorModel":"m","summary":"s","risks":["a",null]}`, "risks: is not a list of texts"},
		{"tocsin", `{"behaviorModel":"m","summary":"s","occurredAt":"yesterday"}`, "occurredAt: is not a time as RFC 3339 has it; give one such as 2026-01-02T03:04:05Z"},
		{"eve", `{}`, "event_type: is missing; give Suricata's EVE JSON, or choose another --format"},
		{"eve", `7`, "is not an object of Suricata's EVE JSON; choose another --format"},
		{"eve", `{"event_type":"alert"}`, "alert.signature: is missing; an alert needs the name of its rule"},
		{"eve", `{"event_type":"alert","alert":{"signature":7}}`, "alert.signature: is of the type number; Suricata's EVE JSON has another there"},
		{"eve", `{"event_type":"alert","src_ip":{},"alert":{"signature":"s"}}`, "src_ip: is of the type object; Suricata's EVE JSON has another there"},
		{"falco", `{"output":"o"}`, "rule: is missing; give Falco's JSON output, or choose another --format"},
		{"falco", `[]`, "is not an object of Falco's JSON output; choose another --format"},
		{"falco", `{"rule":"r","tags":"t"}`, "tags: is of the type string; Falco's JSON output has another there"},
	} {
		got, err := formats[test.format]([]byte(test.line), "key")
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s of %s gave %s, %v; want %s", test.format, test.line, got, err, test.want)
		}
	}
}

// TestLongSummary: a summary that a vendor makes too long is cut, not refused.
func TestLongSummary(t *testing.T) {
	got, err := fromFalco([]byte(`{"rule":"r","output":"`+strings.Repeat("ü", 3_000)+`"}`), "key")
	if err != nil {
		t.Fatal(err)
	}
	if summary := []rune(decode(t, got)["summary"].(string)); len(summary) != maxSummary || summary[maxSummary-1] != '…' {
		t.Errorf("the summary has %d characters", len(summary))
	}
}

// TestWithoutNUL: NUL characters of traffic are replaced, and nothing else is.
func TestWithoutNUL(t *testing.T) {
	for line, want := range map[string]string{
		`{"rule":"a\u0000b","output":"\u0000\u0000"}`: `{"rule":"a\ufffdb","output":"\ufffd\ufffd"}`,
		`{"output":"C:\\u0000"}`:                      `{"output":"C:\\u0000"}`,
		`{"output":"\\\u0000\u00001"}`:                `{"output":"\\\ufffd\ufffd1"}`,
		`{"output":"\n\u0001"}`:                       `{"output":"\n\u0001"}`,
	} {
		if got := withoutNUL([]byte(line)); string(got) != want {
			t.Errorf("%s became %s, want %s", line, got, want)
		}
	}
	got, err := fromEVE([]byte(`{"event_type":"alert","alert":{"signature":"s"},"http":{"url":"/\u0000"}}`), "key")
	if err != nil || bytes.Contains(got, []byte(`\u0000`)) {
		t.Errorf("the alert still holds it: %s, %v", got, err)
	}
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-14T09:26:53.123456+0100":     "2026-03-14T08:26:53.123Z",
		"2026-03-14T09:26:53.123456789-05:30": "2026-03-14T14:56:53.123Z",
		"2026-03-14T09:26:53Z":                "2026-03-14T09:26:53Z",
		"2026-03-14T09:26:53":                 "",
		"03/14/2026-09:26:53.123456":          "",
		"":                                    "",
	} {
		at := moment(text)
		if (at == nil) != (want == "") || at != nil && at.Format("2006-01-02T15:04:05.999Z07:00") != want {
			t.Errorf("%q is %v, want %q", text, at, want)
		}
	}
}

// FuzzFormats: whatever a line holds, it becomes an alert with a model and a
// key, nothing, or a problem on one line.
func FuzzFormats(f *testing.F) {
	for _, name := range []string{"eve.jsonl", "falco.jsonl", "alerts.jsonl"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(bytes.TrimSpace(line))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if !json.Valid(line) {
			return // the reader says so
		}
		for name, format := range formats {
			got, err := format(line, "key")
			if err != nil || got == nil {
				continue
			}
			a := decode(t, got)
			if a["behaviorModel"] == nil || a["summary"] == nil || a["idempotencyKey"] == nil || bytes.ContainsRune(got, '\n') {
				t.Errorf("%s made %s of %s", name, got, line)
			}
		}
	})
}
