package db

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tocsin/dispatch"
)

// ourFile makes books with an alert in them, and closes them.
func ourFile(t *testing.T, path, keyFile string) {
	t.Helper()
	keys, err := OpenKeyring(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), path, Options{Keyring: keys, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, ctx: t.Context(), books: store.(*books), now: noon}
	s.raise(s.member("bob"))
	s.must(store.Close())
}

// openBad opens what cannot be opened, and holds that the error says why and
// what to do, and that the file is as it was.
func openBad(t *testing.T, url, keyFile string, want ...string) {
	t.Helper()
	path := strings.TrimPrefix(url, "sqlite:")
	before, _ := os.ReadFile(path)
	keys, err := OpenKeyring(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), url, Options{Keyring: keys, Serve: true, Kinds: []dispatch.Kind{{Name: "n", Title: "N", BuiltIn: true}}})
	if err == nil {
		t.Fatal("it was opened", store.Close())
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
	if after, _ := os.ReadFile(path); sha256.Sum256(before) != sha256.Sum256(after) {
		t.Error("the file was changed")
	}
}

func TestBadFiles(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, path string) // books that are closed
		want  []string
	}{
		"text": {func(t *testing.T, path string) {
			overwrite(t, path, strings.Repeat("all work and no play\n", 100))
		}, []string{"not a SQLite file", "give another path"}},
		"short text": {func(t *testing.T, path string) { overwrite(t, path, "hello") }, []string{"not a SQLite file", "give another path"}},
		"damaged": {func(t *testing.T, path string) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, string(raw[:4096])+strings.Repeat("\xee", len(raw)-4096))
		}, []string{"damaged", "restore a backup"}},
		"cut off": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		}, []string{"damaged", "restore a backup"}},
		"a directory": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"cannot be opened"}},
		"of a newer program": {func(t *testing.T, path string) {
			execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)")
		}, []string{"version 4711", "knows only up to 4", "run the newer program"}},
		"of another program": {func(t *testing.T, path string) {
			overwrite(t, path, "")
			execute(t, path, "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 7")
		}, []string{"another program", "give another path"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, keyFile := filepath.Join(t.TempDir(), "books.db"), filepath.Join(t.TempDir(), "key")
			ourFile(t, path, keyFile)
			test.spoil(t, path)
			openBad(t, "sqlite:"+path, keyFile, append(test.want, path)...)
		})
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// execute changes a file that nobody has open.
func execute(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "rw", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func TestNoPath(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	openBad(t, "sqlite:", keyFile, "no path", "sqlite:PATH")
	openBad(t, "sqlite:"+filepath.Join(t.TempDir(), "none", "books.db"), keyFile, "folder", "make it first")
}

func TestFileWithAnotherKey(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "books.db"), filepath.Join(t.TempDir(), "other")
	ourFile(t, path, filepath.Join(t.TempDir(), "key"))
	openBad(t, "sqlite:"+path, other, "key file "+other, "give the key file that the database was made with")
}

// TestFileLockedByAnotherProcess: it waits a little, as for a neighbor that
// writes, and then says what is the matter.
func TestFileLockedByAnotherProcess(t *testing.T) {
	path, keyFile := filepath.Join(t.TempDir(), "books.db"), filepath.Join(t.TempDir(), "key")
	ourFile(t, path, keyFile)
	holder := another(t, nil, "lock", path)
	leash, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || line != "locked\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	openBad(t, "sqlite:"+path, keyFile, "another process holds it locked", "stop that process", path)
	if err := leash.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := openAndClose(path, keyFile); err != nil {
		t.Error("after the other process ended:", err)
	}
}

func TestSecondServer(t *testing.T) {
	folder, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "key")
	path, name := filepath.Join(folder, "books.db"), filepath.Join(t.TempDir(), "link.db")
	ourFile(t, path, keyFile)
	if err := os.Symlink(path, name); err != nil {
		t.Fatal(err)
	}
	keys, err := OpenKeyring(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	server, err := Open(t.Context(), path, Options{Keyring: keys, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"sqlite:" + path, "sqlite:" + name} {
		openBad(t, url, keyFile, "another server uses it", "a database of its own")
		out, err := another(t, nil, "open", url, keyFile).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "another server uses it") {
			t.Errorf("a second server process on %s: %v, %s", url, err, out)
		}
	}
	beside, err := Open(t.Context(), path, Options{Keyring: keys}) // a command, beside the server
	if err != nil {
		t.Fatal("a command beside the server: ", err)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := openAndClose(path, keyFile); err != nil {
		t.Error("after the server ended:", err)
	}
}

// TestFileThatMayNotBeWritten: as another user than root, who may write all.
func TestFileThatMayNotBeWritten(t *testing.T) {
	var who *syscall.Credential
	if os.Geteuid() == 0 {
		who = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	tests := map[string]struct{ file, folder os.FileMode }{
		"file":            {0o444, 0o777},
		"folder":          {0o666, 0o555},
		"file and folder": {0o444, 0o555},
		"unreadable":      {0o000, 0o777},
	}
	for name, mode := range tests {
		t.Run(name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "tocsin-folder-") //nolint:usetesting // t.TempDir is closed to others
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.RemoveAll(folder); err != nil {
					t.Error(err)
				}
			})
			path, keyFile := filepath.Join(folder, "books.db"), filepath.Join(folder, "key")
			ourFile(t, path, keyFile)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if who != nil {
				if err := os.Chown(keyFile, int(who.Uid), int(who.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			// The lock of the server is there already, as after a first start.
			overwrite(t, path+".server", "")
			for path, mode := range map[string]os.FileMode{path + ".server": 0o666, path: mode.file, folder: mode.folder} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			out, err := another(t, who, "open", "sqlite:"+path, keyFile).CombinedOutput()
			if err == nil || !strings.Contains(string(out), path) || !strings.Contains(string(out), "let this user") {
				t.Errorf("opened with %v, %s; want an error that says whose rights are missing", err, out)
			}
			if err := os.Chmod(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Error("the file was changed", err)
			}
		})
	}
}

// TestDiskFull: nothing is half written, each caller hears it, and when there is
// room again all goes on.
func TestDiskFull(t *testing.T) {
	s := onSQLite(t)
	s.raise(s.member("bob"))
	full := s.count("SELECT page_count FROM pragma_page_count")
	room := func(pages int) {
		t.Helper()
		s.must(s.books.writer.write(s.ctx, nil, func(ctx context.Context, t *tx) error {
			return t.session.QueryRowContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(new(int))
		}))
	}
	room(full + 2)
	members := s.hundred()
	for i := range members {
		members[i].Alert.Payload = dispatch.JSON(`"` + strings.Repeat("x", 20_000) + `"`)
	}
	for i, r := range s.raiseTogether(members) {
		if !errors.Is(r.Err, dispatch.ErrUnavailable) {
			t.Errorf("raise %d on a full disk gave %v, want ErrUnavailable", i, r.Err)
		}
	}
	if a := s.balances(); a.Promised != 1 {
		t.Errorf("%d promised, want the one from before", a.Promised)
	}
	room(1 << 30)
	for _, r := range s.raiseTogether(members) {
		s.must(r.Err)
	}
	if a := s.balances(); a.Promised != 101 {
		t.Errorf("%d promised, want 101", a.Promised)
	}
	if ok := ""; s.books.pool.QueryRowContext(s.ctx, "PRAGMA integrity_check").Scan(&ok) != nil || ok != "ok" {
		t.Error("the file is damaged:", ok)
	}
}
