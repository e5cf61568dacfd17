package server

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/fake/webhook"
)

// TestBackup copies the database while it is written at full rate: raising goes
// on, the copy is whole, holds all that was answered before, and a server that is
// started on it goes on from there.
func TestBackup(t *testing.T) {
	const before, meanwhile, clients = 500, 1500, 16
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	p := &program{dir: t.TempDir()}
	p.start(t)
	p.hook(hook.URL())
	answered := p.raiseAll(t, before, clients, before+1, nil)

	copied := &program{dir: t.TempDir()}
	to := filepath.Join(copied.dir, "tocsin.db")
	var took time.Duration
	more := p.raiseAll(t, before+meanwhile, clients, before+meanwhile/5, func() { // the first keys are repeats
		began := time.Now()
		if said, err := runBinary(t.Context(), "backup", "--data", p.dir, to); err != nil || !strings.Contains(said, "keep a copy of that") {
			t.Errorf("the backup ended with %v and said %s", err, said)
		}
		took = time.Since(began)
	})
	if len(more) != before+meanwhile {
		t.Errorf("%d of %d raises were answered beside the backup", len(more), before+meanwhile)
	}
	if said, err := runBinary(t.Context(), "backup", "--data", p.dir, to); err == nil || !strings.Contains(said, "give a name that is free") {
		t.Errorf("a second backup to the same file ended with %v and said %s", err, said)
	}
	if found, err := filepath.Glob(to + "*"); err != nil || len(found) != 1 {
		t.Errorf("beside the copy there is %v, %v", found, err)
	}
	wantWhole(t, to)

	key, err := os.ReadFile(filepath.Join(p.dir, "key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(copied.dir, "key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.end()
	copied.token = p.token
	copied.start(t)
	defer copied.end()
	var data struct {
		Accounting struct {
			Promised, Delivered int
			Balances            bool
		}
	}
	copied.eventually("delivery of all in the copy", `{ accounting { promised delivered balances } }`, nil, &data,
		func() bool { return data.Accounting.Delivered == data.Accounting.Promised })
	booked := map[string]bool{}
	for _, alert := range copied.booked() {
		booked[alert] = true
	}
	for key, id := range answered {
		if !booked[id] {
			t.Errorf("%s was answered with %s before the backup, and is not in it", key, id)
		}
	}
	if !data.Accounting.Balances || len(booked) != data.Accounting.Promised || len(booked) < before+meanwhile/5 {
		t.Errorf("the copy holds %d alerts, accounting %+v", len(booked), data.Accounting)
	}
	t.Logf("the backup took %v beside %d clients and holds %d alerts", took.Round(time.Millisecond), clients, len(booked))
}

// runBinary runs a command of the program and returns what it said.
func runBinary(ctx context.Context, args ...string) (said string, err error) {
	path, err := binary()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}

// wantWhole has SQLite look at every page of a file.
func wantWhole(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("%s: %s, %v", path, verdict, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(fmt.Sprint("the copy may be read by others: ", info.Mode(), err))
	}
}
