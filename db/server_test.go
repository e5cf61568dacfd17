package db

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgServer is a PostgreSQL that this process started and will end.
type pgServer struct {
	dir     string // of its socket and its files
	cmd     *exec.Cmd
	leash   io.Closer     // closing it ends the server; so does the end of this process
	silence chan struct{} // closed when it says no more
	admin   *sql.DB
}

// template is the database that others are copied from: migrated and empty.
const template = "books"

// errNoServer tells that PostgreSQL is not installed here.
var errNoServer = errors.New("no PostgreSQL is installed: no initdb in /usr/lib/postgresql/*/bin or on the PATH")

// running is the server of all tests, started by the first that needs it.
var running struct {
	sync.Mutex
	server *pgServer
	err    error
	asked  bool
	names  atomic.Int64 // of databases
}

func postgres(t testing.TB) *pgServer {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if !running.asked {
		running.asked = true
		running.server, running.err = startPostgres()
	}
	if errors.Is(running.err, errNoServer) {
		t.Skip("PostgreSQL's half is left out: ", running.err)
	}
	if running.err != nil {
		t.Fatal("start PostgreSQL: ", running.err)
	}
	return running.server
}

func stopPostgres() {
	running.Lock()
	defer running.Unlock()
	if running.server != nil {
		running.server.stop()
	}
}

// newDatabase makes an empty database, which goes with the test.
func newDatabase(t testing.TB) string {
	t.Helper()
	server := postgres(t)
	name := fmt.Sprintf("books%d", running.names.Add(1))
	server.run(t, "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY FILE_COPY") // the quickest; needs version 15
	t.Cleanup(func() { server.run(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return server.url(name)
}

func (p *pgServer) url(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {p.dir}, "user": {"tocsin"}}.Encode()
}

func (p *pgServer) run(t testing.TB, statement string) {
	t.Helper()
	if err := p.exec(statement); err != nil {
		t.Fatal(err)
	}
}

func (p *pgServer) exec(statement string) error {
	_, err := p.admin.Exec(statement)
	return err
}

// startPostgres makes a cluster in a directory of its own and serves it on a
// socket there. It is as quick as it can be and keeps nothing over a crash.
func startPostgres() (*pgServer, error) {
	bin, err := serverPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tocsin-postgres-")
	if err != nil {
		return nil, err
	}
	p := &pgServer{dir: dir, silence: make(chan struct{})}
	who, err := ordinaryUser(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	data := filepath.Join(dir, "data")
	initdb := p.command(who, filepath.Join(bin, "initdb"), "-D", data, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	const onLeash = `"$@" & server=$!; cat >/dev/null; kill -QUIT $server; wait $server`
	p.cmd = p.command(who, "sh", "-c", onLeash, "sh", filepath.Join(bin, "postgres"), "-D", data, "-k", dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "autovacuum=off")
	if err := p.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	config, err := pgx.ParseConfig(p.url("postgres"))
	if err != nil {
		return p, err
	}
	p.admin = stdlib.OpenDB(*config)
	return p, p.makeTemplate()
}

func (p *pgServer) makeTemplate() error {
	if err := p.exec("CREATE DATABASE " + template); err != nil {
		return err
	}
	config, err := pgx.ParseConfig(p.url(template))
	if err != nil {
		return err
	}
	return preparePostgres(context.Background(), config)
}

// serverPrograms is the folder of the newest installed server.
func serverPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errNoServer
	}
	return filepath.Dir(path), nil
}

// ordinaryUser is who may run a server, which root may not; nil for ourselves.
func ordinaryUser(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // ourselves
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w; as root, a user named postgres is needed: %w", errNoServer, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

func (p *pgServer) command(who *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	return cmd
}

// start returns when the server accepts connections.
func (p *pgServer) start() error {
	leash, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.leash = leash
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go p.listen(log, ready)
	return <-ready
}

// listen tells when the server is ready, and reads on so that it never waits
// for us; it ends with the server, and stop waits for that.
func (p *pgServer) listen(log io.Reader, ready chan<- error) {
	defer close(p.silence)
	var said []string
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if ready == nil {
			continue
		}
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "ready to accept connections") {
			ready <- nil
			ready = nil
		}
	}
	if ready != nil {
		ready <- errors.New("the server ended: " + strings.Join(said, "\n"))
	}
}

func (p *pgServer) stop() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	_ = p.leash.Close()
	<-p.silence
	_ = p.cmd.Wait() // it was killed, and says so
	_ = os.RemoveAll(p.dir)
}
