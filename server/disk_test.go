package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/fake/webhook"
)

// TestDiskFull fills the disk of a running program: raises are refused, clearly
// and for the time being, /readyz says so, and when there is space again all goes
// on by itself, with nothing lost of what was answered.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, 32<<20)
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	p := &program{dir: dir}
	p.start(t)
	defer p.end()
	p.hook(hook.URL())
	answered := p.raiseAll(t, 200, 8, 201, nil)

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	refused := 0
	for i := 0; refused < 20; i++ { // the last free pages of the log take some still
		_, text, err := p.post(t.Context(), `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId userErrors { message } } }`,
			map[string]any{"in": map[string]any{"behaviorModel": "Model", "summary": strings.Repeat("x", 500), "key": "full " + strconv.Itoa(i), "idempotencyKey": "full " + strconv.Itoa(i)}})
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.Contains(string(text), `"code":"OVERLOADED"`):
			refused++
			if strings.Contains(string(text), dir) || !strings.Contains(string(text), "ask again") {
				t.Errorf("refused with %s", text)
			}
		case i > 5000:
			t.Fatalf("a full disk refuses nothing; the last answer was %s", text)
		default:
			var answer struct {
				Data struct{ RaiseAlert struct{ AlertID string } }
			}
			if err := json.Unmarshal(text, &answer); err != nil || answer.Data.RaiseAlert.AlertID == "" {
				t.Fatalf("answered %s, %v", text, err)
			}
			answered["full "+strconv.Itoa(i)] = answer.Data.RaiseAlert.AlertID
		}
	}
	if status, text := p.readyz(); status != http.StatusServiceUnavailable || text != "database: it cannot be written or read now; the log tells why\n" {
		t.Errorf("on a full disk /readyz says %d %s", status, text)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		if status, _ := p.readyz(); status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("with space again it does not become ready")
		}
	}
	again := p.raiseAll(t, 300, 8, 301, nil) // the first 200 are repeats
	for key, id := range again {
		if first := answered[key]; first != "" && first != id {
			t.Errorf("%s was answered with %s, then with %s", key, first, id)
		}
		answered[key] = id
	}
	var data struct {
		Accounting struct {
			Promised, Delivered int
			Balances            bool
		}
	}
	p.eventually("delivery of all", `{ accounting { promised delivered balances } }`, nil, &data,
		func() bool { return data.Accounting.Delivered == data.Accounting.Promised })
	if !data.Accounting.Balances || len(again) != 300 {
		t.Errorf("accounting %+v, %d of 300 answered", data.Accounting, len(again))
	}
	joinLists(t, answered, p.booked(), hook.Taken())
	t.Logf("%d answered before, amid and after, %d refused", len(answered), refused)
}

// smallDisk mounts a file system of that many bytes, until the test ends.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root on Linux can mount a disk to fill; CI runs as root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for page := make([]byte, 4096); err == nil; {
		_, err = file.Write(page)
	}
	if !strings.Contains(err.Error(), "no space left") {
		t.Fatal(err)
	}
}
