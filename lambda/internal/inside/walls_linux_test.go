package inside

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// prisoner is what this program is called when it is to try its walls.
const prisoner = "prisoner"

func TestMain(m *testing.M) {
	if os.Args[0] == prisoner {
		tryWalls(os.Args[1], os.Args[2], os.Args[3])
		return
	}
	os.Exit(m.Run())
}

// tryWalls walls itself in, tries to get out and tells what came of it.
func tryWalls(walls, file, address string) {
	got := map[string]string{}
	try := func(what string, err error) {
		switch {
		case err == nil:
			got[what] = "done"
		case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EMFILE):
			got[what] = "refused"
		default:
			got[what] = err.Error()
		}
	}
	build := map[string]func() error{"all": func() error { return wallIn(64 << 20) }, "landlock": restrict}[walls]
	if err := build(); err != nil {
		got["walls"] = err.Error()
	}
	_, err := os.ReadFile(file)
	try("read", err)
	try("write", os.WriteFile(file+".new", nil, 0o600))
	_, err = os.ReadDir("/")
	try("list", err)
	try("remove", os.Remove(file))
	_, err = net.DialTimeout("tcp", address, time.Second)
	try("dial", err)
	_, err = net.Listen("tcp", "127.0.0.1:0")
	try("listen", err)
	_, err = net.Dial("udp", address)
	try("send", err)
	try("start", exec.Command("/proc/self/exe").Run())
	try("start a shell", exec.Command("/bin/sh", "-c", "exit 0").Run())
	try("signal", syscall.Kill(os.Getppid(), 0))
	if _, ok := os.LookupEnv("HOME"); ok || len(os.Environ()) > 0 {
		got["environment"] = "there is one"
	}
	_ = json.NewEncoder(os.Stdout).Encode(got)
}

func TestWalls(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for walls, want := range map[string][]string{
		"landlock": {"read", "write", "list", "remove", "dial", "start", "start a shell", "signal"},
		"all":      {"read", "write", "list", "remove", "dial", "start", "start a shell", "signal", "listen", "send"},
	} {
		t.Run(walls, func(t *testing.T) {
			c := exec.Cmd{Path: "/proc/self/exe", Args: []string{prisoner, walls, file, l.Addr().String()}, Env: []string{}, Dir: "/"}
			out, err := c.Output()
			var got map[string]string
			if err := errors.Join(err, json.Unmarshal(out, &got)); err != nil {
				t.Fatal(err, string(out))
			}
			if walls == "landlock" && got["read"] == "done" {
				t.Skip("this kernel has no landlock")
			}
			for _, what := range want {
				if got[what] != "refused" {
					t.Errorf("%s: %s", what, got[what])
				}
			}
			if got["walls"] != "" || got["environment"] != "" {
				t.Errorf("found %v", got)
			}
		})
	}
}
