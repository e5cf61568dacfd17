//go:build crashpoints

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// where says where to die; read once.
var where = sync.OnceValue(func() (w wish) {
	name, rest, _ := strings.Cut(os.Getenv(Variable), ":")
	passing, delay, _ := strings.Cut(rest, ":")
	w.name = name
	w.passing, _ = strconv.ParseInt(passing, 10, 64) // none is the first
	w.delay, _ = time.ParseDuration(delay)           // none is at once
	return w
})

type wish struct {
	name    string
	passing int64
	delay   time.Duration
}

var passed atomic.Int64

// Point is a moment that the program passes; it dies there when it is asked to.
func Point(name string) {
	if where().name == name && passed.Add(1) == max(1, where().passing) {
		die()
	}
}

// During is the beginning of a moment that lasts; passed only when it counts. The
// program dies a while after, wherever it is by then.
func During(name string, counts bool) {
	if counts && where().name == name && passed.Add(1) == max(1, where().passing) {
		time.AfterFunc(where().delay, die)
	}
}

// die does not return: no deferred call runs, no buffer is written.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		os.Exit(3)
	}
	select {}
}
