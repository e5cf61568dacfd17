package db

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tocsin/dispatch"
)

// TestPowerLoss cuts the power of a process that raises alerts, at moments of all
// sorts: of each file it leaves what was written before the last completed sync
// and, of what was written since, some, some of it torn. What was answered must be
// in the books each time, and the books must be whole.
func TestPowerLoss(t *testing.T) {
	if raced {
		t.Skip("a traced process beside the race detector takes minutes; the plain run has shown it")
	}
	n := 80
	if os.Getenv("TOCSIN_LONG") != "" {
		n = 2000
	}
	r := record(t, "FULL")
	lost, damaged := r.cut(t, n)
	if lost > 0 || damaged > 0 {
		t.Errorf("of %d cuts %d lost what was answered and %d left damaged books", n, lost, damaged)
	}
	t.Logf("%d cuts into %d writes and syncs, up to %d answers: nothing that was answered was lost", n, len(r.steps), r.answers)
}

// TestPowerLossWithoutSync: the same with synchronous=NORMAL loses answers, which
// is why the server does not offer it, and shows that the test can tell.
func TestPowerLossWithoutSync(t *testing.T) {
	if raced {
		t.Skip("a traced process beside the race detector takes minutes; the plain run has shown it")
	}
	const n = 20
	lost, damaged := record(t, "NORMAL").cut(t, n)
	if lost == 0 || damaged > 0 {
		t.Errorf("of %d cuts %d lost what was answered and %d left damaged books, want losses and no damage", n, lost, damaged)
	}
	t.Logf("%d of %d cuts lost answers", lost, n)
}

// raiseUnderTrace is the part that is traced: it raises alerts from several
// goroutines and writes down each answer.
func raiseUnderTrace(url, keyFile, synchronous string) error {
	ctx := context.Background()
	keys, err := OpenKeyring(keyFile)
	if err != nil {
		return err
	}
	store, err := Open(ctx, url, Options{Keyring: keys, Now: noon})
	if err != nil {
		return err
	}
	b := store.(*books)
	s, err := b.writer.begin(ctx)
	if err != nil {
		return err
	}
	if err := s.Rollback(); err != nil {
		return err
	}
	if _, err := s.ExecContext(ctx, "PRAGMA synchronous="+synchronous); err != nil {
		return err
	}
	version, err := b.ConfigurationVersion(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 30 {
				a := dispatch.Alert{
					ID: dispatch.NewID(dispatch.PrefixAlert), BehaviorModel: "Model", Severity: dispatch.High, Summary: strings.Repeat("words ", 40),
					DedupKey: fmt.Sprint(g, i%10), Risks: []string{}, Attributes: dispatch.JSON("{}"), OccurredAt: noon, ReceivedAt: noon, RaisedBy: dispatch.System,
				}
				raised := b.Raise(ctx, []dispatch.Raising{{
					Alert: a, ConfigurationVersion: version, Plan: dispatch.Plan{Ticket: dispatch.PerDedupKey, NewTicket: openedBy(a)},
					Replan: func(*dispatch.OpenTicket) dispatch.Plan {
						return dispatch.Plan{Ticket: dispatch.PerDedupKey, NewTicket: openedBy(a)}
					},
				}})[0]
				if raised.Err == nil {
					_, _ = os.Stdout.WriteString("answered " + a.ID + "\n") // the trace has it
				}
			}
		})
	}
	all.Wait()
	return store.Close()
}

// step is something that the process did to a file, or an answer.
type step struct {
	file   string // books.db or books.db-wal; "" for an answer
	sync   bool
	at     int64
	data   []byte // nil: the file is cut to at
	answer string
}

// recording is all that a process did to its files, in order, from nothing.
type recording struct {
	steps   []step
	answers int
}

// record traces the system calls of a process that raises.
func record(t *testing.T, synchronous string) *recording {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: writes and syncs cannot be traced")
	}
	dir := t.TempDir()
	if _, err := OpenKeyring(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	part := another(t, nil, "raise", "sqlite:"+filepath.Join(dir, "books.db"), filepath.Join(dir, "key"), synchronous)
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command(strace, "-f", "-qq", "-xx", "-s", "200000", "-e", "trace=open,openat,close,pwrite64,write,fsync,fdatasync,ftruncate", "-o", trace, program)
	cmd.Env, cmd.Dir = part.Env, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("processes cannot be traced here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	return readTrace(t, trace)
}

var (
	unfinished = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	returned   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
)

// readTrace reads a trace; a call counts when it has returned.
func readTrace(t *testing.T, path string) *recording {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := &recording{}
	begun, names := map[string]string{}, map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		line := lines.Text()
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[3]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = m[1] + " " + m[2] + "(" + begun[m[1]] + m[3]
		}
		if m := returned.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[4], "-") {
			r.take(names, m[2], m[3], m[4])
		}
	}
	if lines.Err() != nil || r.answers == 0 {
		t.Fatalf("the trace has %d answers, %v", r.answers, lines.Err())
	}
	return r
}

// take notes a call by its name, its arguments and its result; names are the files
// that descriptors stand for.
func (r *recording) take(names map[string]string, call, arguments, result string) {
	args := strings.Split(arguments, ", ")
	name := names[args[0]]
	switch call {
	case "open", "openat":
		path := args[0]
		if call == "openat" {
			path = args[1]
		}
		if base := filepath.Base(string(unquote(path))); base == "books.db" || base == "books.db-wal" {
			names[result] = base
		} else {
			delete(names, result)
		}
	case "close":
		delete(names, args[0])
	case "write":
		if id, ok := strings.CutPrefix(string(unquote(args[1])), "answered "); ok {
			r.answers++
			r.steps = append(r.steps, step{answer: strings.TrimSpace(id)})
		}
	case "pwrite64":
		if name != "" {
			r.steps = append(r.steps, step{file: name, at: number(args[3]), data: unquote(args[1])})
		}
	case "ftruncate":
		if name != "" {
			r.steps = append(r.steps, step{file: name, at: number(args[1])})
		}
	default:
		if name != "" {
			r.steps = append(r.steps, step{file: name, sync: true})
		}
	}
}

func unquote(text string) []byte {
	raw, _ := hex.DecodeString(strings.ReplaceAll(strings.Trim(text, `"`), `\x`, "")) // what is no text of strace's is no text of ours
	return raw
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // as above
	return n
}

// cut ends the power n times and counts the cuts that lost an answer, and those
// that left books that SQLite finds damaged.
func (r *recording) cut(t *testing.T, n int) (lost, damaged int) {
	t.Helper()
	random := rand.New(rand.NewPCG(20261125, uint64(n)))
	first := 0
	for first < len(r.steps) && r.steps[first].answer == "" {
		first++
	}
	for range n {
		at := first + random.IntN(len(r.steps)-first+1)
		dir, err := os.MkdirTemp("/dev/shm", "tocsin-power-") //nolint:usetesting // in memory: what is written here is not to wait for a disk
		if err != nil {
			dir = t.TempDir()
		}
		r.leave(t, dir, at, random)
		kept, err := alertsIn(t.Context(), filepath.Join(dir, "books.db"))
		if err != nil {
			damaged++
			t.Logf("cut at %d: %v", at, err)
		}
		for _, s := range r.steps[:at] {
			if s.answer != "" && !kept[s.answer] {
				lost++
				break
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	return lost, damaged
}

// leave writes what a cut before a step leaves of the files.
func (r *recording) leave(t *testing.T, dir string, at int, random *rand.Rand) {
	t.Helper()
	synced := map[string]int{}
	for i, s := range r.steps[:at] {
		if s.sync {
			synced[s.file] = i
		}
	}
	content := map[string][]byte{}
	for i, s := range r.steps[:at] {
		if s.file == "" || s.sync {
			continue
		}
		data := s.data
		if i > synced[s.file] {
			switch random.IntN(3) {
			case 0:
				continue // never written
			case 1:
				data = data[:random.IntN(len(data)/512+1)*512] // torn at a sector
			default:
			}
		}
		content[s.file] = apply(content[s.file], s.at, data, s.data == nil)
	}
	for name, data := range content {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func apply(to []byte, at int64, data []byte, cut bool) []byte {
	end := at + int64(len(data))
	if int64(len(to)) < end {
		to = append(to, make([]byte, end-int64(len(to)))...)
	}
	if cut {
		return to[:at]
	}
	copy(to[at:], data)
	return to
}

// alertsIn opens books as the next start does, and reads the ids of its alerts.
func alertsIn(ctx context.Context, path string) (map[string]bool, error) {
	db, err := sql.Open("sqlite", dsn(path, "rw", openWait))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return nil, fmt.Errorf("integrity check: %s, %w", verdict, err)
	}
	rows, err := db.QueryContext(ctx, "SELECT id FROM alerts")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	kept := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		kept[id] = true
	}
	return kept, rows.Err()
}
