package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// workload is how busy the machine has been until a moment: all programs, and
// ours alone.
type workload struct {
	at        time.Time
	all, ours time.Duration
	idle      time.Duration
}

func measureWork() workload {
	w := workload{at: time.Now()}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if syscall.Getrusage(who, &used) == nil {
			w.ours += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return w // the system does not tell
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line)[1:] {
		ticks, _ := strconv.Atoi(field) // a kernel writes numbers
		spent := time.Duration(ticks) * time.Second / ticksPerSecond
		switch {
		case i == 3 || i == 4: // idle, and idle but for the disk
			w.idle += spent
		case i < 8: // what follows is counted among these
			w.all += spent
		}
	}
	return w
}

// foreign is the share of the machine that programs other than ours took since;
// 0 where the system does not tell. Children count once they have ended.
func (w workload) foreign() float64 {
	now := measureWork()
	busy, idle, ours := now.all-w.all, now.idle-w.idle, now.ours-w.ours
	if busy+idle == 0 {
		return 0
	}
	return max(0, float64(busy-ours)/float64(busy+idle))
}

// openFiles is how many files a process may have open.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(limit.Max) //nolint:gosec // Go has raised the limit to it, here and in the server
}
