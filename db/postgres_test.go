package db

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/dispatch"
)

func TestBadServers(t *testing.T) {
	server := postgres(t)
	server.run(t, "CREATE ROLE guest LOGIN")
	server.run(t, "CREATE ROLE nobody NOLOGIN")
	server.run(t, "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0")
	mine := newDatabase(t)
	other := func(from, to string) string { return strings.Replace(server.url("postgres"), from, to, 1) }
	tests := map[string]struct {
		url  string
		want []string
	}{
		"no server":        {"postgres:///books?host=/nowhere&user=tocsin&password=hunter2", []string{"books on /nowhere", "no server can be reached", "that the server runs"}},
		"no address":       {"postgres://tocsin:hunter2@host:port/books", []string{"cannot be read", "give one such as"}},
		"no database":      {server.url("none"), []string{"no such database", "CREATE DATABASE"}},
		"no login":         {other("user=tocsin", "user=nobody"), []string{"refuses the user", "check user and password"}},
		"no rights":        {other("user=tocsin", "user=guest"), []string{"may not make tables", "GRANT CREATE"}},
		"another encoding": {server.url("bytes"), []string{"SQL_ASCII", "ENCODING 'UTF8'"}},
	}
	keys, err := OpenKeyring(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store, err := Open(t.Context(), test.url, Options{Keyring: keys})
			if err == nil {
				t.Fatal("it was opened", store.Close())
			}
			for _, part := range append(test.want, "open the database") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	t.Run("a newer program", func(t *testing.T) {
		s := onStage(t, mine)
		s.change("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, true)")
		_, err := Open(s.ctx, mine, Options{Keyring: s.keys})
		if err == nil || !strings.Contains(err.Error(), "version 4711") || !strings.Contains(err.Error(), "run the newer program") {
			t.Errorf("a newer schema gave %v", err)
		}
	})
}

// TestManyOpenANewDatabase: the processes of one service start together.
func TestManyOpenANewDatabase(t *testing.T) {
	server := postgres(t)
	server.run(t, "CREATE DATABASE young")
	t.Cleanup(func() { server.run(t, "DROP DATABASE young WITH (FORCE)") })
	keys, err := OpenKeyring(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	instances := make([]string, 4)
	var all sync.WaitGroup
	for i := range instances {
		all.Go(func() {
			kinds := []dispatch.Kind{{Name: "notification", Title: "Notifications", BuiltIn: true}, {Name: "email", Title: "E-mail", BuiltIn: true}}
			store, err := Open(t.Context(), server.url("young"), Options{Keyring: keys, Kinds: kinds})
			if err != nil {
				t.Error(err)
				return
			}
			instances[i] = store.Instance()
			c, err := store.Configuration(t.Context())
			if err != nil || len(c.Actors) != 2 {
				t.Errorf("the configuration has %+v, %v; want two built-in actors", c, err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, name := range instances {
		if name != instances[0] {
			t.Errorf("the books have the names %v", instances)
		}
	}
}

// cutter stands between the books and the server, and cuts the line at a COMMIT.
type cutter struct {
	dir    string
	target string
	ears   net.Listener
	cut    atomic.Int32 // what to do at a COMMIT
	pass   atomic.Int32 // of those that come before it
	lines  sync.WaitGroup
}

const (
	letPass      = iota
	beforeCommit // the server never hears of it
	afterCommit  // the server does it, but its answer is lost
)

func startCutter(t *testing.T, target string) *cutter {
	t.Helper()
	dir, err := os.MkdirTemp("", "cut-") //nolint:usetesting // short, as the paths of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	ears, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{dir: dir, target: filepath.Join(target, ".s.PGSQL.5432"), ears: ears}
	c.lines.Go(c.serve)
	t.Cleanup(func() {
		_ = ears.Close()
		c.lines.Wait()
		_ = os.RemoveAll(dir)
	})
	return c
}

func (c *cutter) serve() {
	for {
		client, err := c.ears.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", c.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &line{client: client, server: server}
		c.lines.Go(func() { l.ask(c) })
		c.lines.Go(l.answer)
	}
}

// next is what to do at this COMMIT.
func (c *cutter) next() int32 {
	if c.pass.Add(-1) >= 0 {
		return letPass
	}
	return c.cut.Swap(letPass)
}

// line is one connection through the cutter.
type line struct {
	client, server net.Conn
	silent         atomic.Bool // the next answer is lost
}

func (l *line) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (l *line) ask(c *cutter) {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) {
			switch c.next() {
			case beforeCommit:
				return
			case afterCommit:
				l.silent.Store(true)
			}
		}
		if _, err := l.server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (l *line) answer() {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buffer)
		if err != nil || l.silent.Load() {
			return
		}
		if _, err := l.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestLostCommit: the line breaks at a COMMIT. What was written is found out,
// and the caller hears the truth.
func TestLostCommit(t *testing.T) {
	url := newDatabase(t)
	c := startCutter(t, postgres(t).dir)
	s := onStage(t, strings.Replace(url, strings.ReplaceAll(postgres(t).dir, "/", "%2F"), strings.ReplaceAll(c.dir, "/", "%2F"), 1))
	unmatched := func() dispatch.Raising {
		m := s.member("nobody")
		m.Plan = dispatch.Plan{Ticket: dispatch.NoTicket}
		return m
	}
	for name, member := range map[string]func() dispatch.Raising{
		"with lines for the ledger": func() dispatch.Raising { return s.member("bob") }, "without": unmatched,
	} {
		m := member()
		c.cut.Store(afterCommit)
		if r := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]; r.Err != nil {
			t.Errorf("%s: a raise whose COMMIT was done, but not answered, gave %v", name, r.Err)
		}
		if found, err := s.books.AlertsByID(s.ctx, []string{m.Alert.ID}); err != nil || len(found) != 1 {
			t.Errorf("%s: the alert is not there: %v", name, err)
		}
		m = member()
		c.cut.Store(beforeCommit)
		if r := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]; !errors.Is(r.Err, dispatch.ErrUnavailable) {
			t.Errorf("%s: a raise whose COMMIT never arrived gave %v, want ErrUnavailable", name, r.Err)
		}
		if found, err := s.books.AlertsByID(s.ctx, []string{m.Alert.ID}); err != nil || len(found) != 0 {
			t.Errorf("%s: what was refused is there: %v, %v", name, found, err)
		}
	}
	members := s.hundred()
	c.pass.Store(1) // that of the job that holds the writer
	c.cut.Store(beforeCommit)
	for _, r := range s.raiseTogether(members) {
		s.must(r.Err) // of a group, each is tried once more
	}
	s.balances()
}

// TestServerGone: it may be stopped and started under us; we go on.
func TestServerGone(t *testing.T) {
	s := onPostgres(t)
	s.raise(s.member("bob"))
	const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	kill := func(ctx context.Context, t *tx) error {
		_, err := t.session.ExecContext(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	}
	if err := s.books.writer.write(s.ctx, nil, kill); !errors.Is(err, dispatch.ErrUnavailable) {
		t.Errorf("who wrote when the server went heard %v, want ErrUnavailable", err)
	}
	s.raise(s.member("bob"))
	s.must(errors.Join(s.books.pool.QueryRowContext(s.ctx, end).Err()))
	s.raise(s.member("bob"))
	s.balances()
}

// TestLostConflictsAreRepeated: a job that lost to another process runs again,
// with all of its group, and nobody hears of it.
func TestLostConflictsAreRepeated(t *testing.T) {
	s := onPostgres(t)
	runs := 0
	job := func(context.Context, *tx) error {
		if runs++; runs < maxRepeats {
			return &pgconn.PgError{Code: []string{"40001", "40P01"}[runs%2]}
		}
		return nil
	}
	release := s.hold()
	m := s.member("bob")
	var all sync.WaitGroup
	all.Go(func() { s.must(s.books.writer.write(s.ctx, nil, job)) })
	all.Go(func() { s.raise(m) })
	s.met(2)
	release()
	all.Wait()
	if n := s.count("SELECT COUNT(*) FROM alerts"); runs != maxRepeats || n != 1 {
		t.Errorf("the job ran %d times, and %d alerts are stored; want %d and 1", runs, n, maxRepeats)
	}
	s.balances()
}

// TestDeadlockIsRepeated: two processes wait for each other, in earnest.
func TestDeadlockIsRepeated(t *testing.T) {
	s := onPostgres(t)
	other := s.open()
	both := make(chan struct{}, 2)
	var once [2]sync.Once
	job := func(i int, first, second string) func(context.Context, *tx) error {
		return func(ctx context.Context, t *tx) error {
			if err := lockNamed(ctx, t.session, []string{first}); err != nil {
				return err
			}
			once[i].Do(func() { // in the first run they meet
				both <- struct{}{}
				for len(both) < 2 {
					runtime.Gosched()
				}
			})
			return lockNamed(ctx, t.session, []string{second})
		}
	}
	var all sync.WaitGroup
	all.Go(func() { s.must(s.books.writer.write(s.ctx, nil, job(0, "a", "b"))) })
	all.Go(func() { s.must(other.writer.write(s.ctx, nil, job(1, "b", "a"))) })
	all.Wait()
}

// TestClaimsOfOneLineAtOnce: a process has claimed the second of a line and has
// not committed; another one retries the first and claims. It must wait, else
// both are out at once.
func TestClaimsOfOneLineAtOnce(t *testing.T) {
	s := onPostgres(t)
	other := s.open()
	line := s.queue("a", "a")
	s.settle(s.settlement(s.claim(post, 1)[0], dispatch.OutcomeRefused, dispatch.Failed))

	claim := dispatch.Claim{ActorID: post, Now: s.now, Until: s.now.Add(lease), Max: 5}
	release := s.hold()
	var all sync.WaitGroup
	all.Go(func() {
		claimed, err := s.books.Claim(s.ctx, claim)
		if err != nil || len(claimed) != 1 || claimed[0].Delivery.ID != line[1] {
			t.Errorf("the first claim got %v, %v", ids(claimed), err)
		}
	})
	s.met(1)
	claimedAlready, gate := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		s.must(s.books.writer.write(s.ctx, nil, func(context.Context, *tx) error { // in the same transaction, behind the claim
			close(claimedAlready)
			<-gate
			return nil
		}))
	})
	s.met(2)
	release()
	<-claimedAlready
	retried, err := other.RetryDeliveries(s.ctx, dispatch.Selection{IDs: line[:1]}, nil, alice, s.now, 1)
	if err != nil || len(retried) != 1 {
		t.Errorf("retried %v, %v", retried, err)
	}
	all.Go(func() {
		claimed, err := other.Claim(s.ctx, claim)
		if err != nil || len(claimed) != 0 {
			t.Errorf("a second claim got %v, %v beside a leased one of its line", ids(claimed), err)
		}
	})
	for s.count("SELECT COUNT(*) FROM pg_locks WHERE NOT granted") == 0 && !t.Failed() {
		runtime.Gosched()
	}
	close(gate)
	all.Wait()
	s.balances()
}

// TestServerThatDoesNotAnswer: a statement may be waited for, but not for ever.
func TestServerThatDoesNotAnswer(t *testing.T) {
	s := onPostgres(t)
	patient := s.books.writer.patient
	s.books.writer.patient = func() (context.Context, context.CancelFunc) { return context.WithTimeout(s.ctx, 200*time.Millisecond) }
	err := s.books.writer.write(s.ctx, nil, func(ctx context.Context, t *tx) error {
		_, err := t.session.ExecContext(ctx, "SELECT pg_sleep(600)")
		return err
	})
	if !errors.Is(err, dispatch.ErrUnavailable) {
		t.Errorf("a silent server gave %v, want ErrUnavailable", err)
	}
	s.books.writer.patient = patient
	s.must(s.books.Ready(s.ctx))
}
