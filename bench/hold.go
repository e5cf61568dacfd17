package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// holdBench looks at the memory of the server while many are connected.
type holdBench struct {
	Subscribers int `help:"Subscribers at once." default:"10000"`
}

// spareFiles are those that a server needs beside its subscribers.
const spareFiles = 200

// Run prints a row for each transport.
func (b *holdBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *holdBench) measure(ctx context.Context, t *table) error {
	if most := openFiles(); most > 0 && most < b.Subscribers+spareFiles {
		return fmt.Errorf("%d subscribers: a process may have %d files open here; raise it (ulimit -n)", b.Subscribers, most)
	}
	for _, by := range []transport{overSocket, overEvents} {
		r, err := b.hold(ctx, by)
		if err != nil {
			return err
		}
		t.add(r.judge(most(600, "MiB")))
	}
	return nil
}

// hold is the resident memory when each subscriber has heard events.
func (b *holdBench) hold(ctx context.Context, by transport) (row, error) {
	r := row{Path: fmt.Sprintf("%s held over %s, memory", counted(b.Subscribers, "subscriber"), by.name), Unit: " MiB"}
	return r, inFolder(func(dir string) error {
		s, err := openFanout(ctx, filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		disconnect, err := s.connect(ctx)
		if err != nil {
			return err
		}
		defer disconnect()
		empty := s.resident()
		began := time.Now()
		c, err := gather(ctx, by, s.to(by), b.Subscribers)
		if err != nil {
			return err
		}
		defer c.leave()
		if err := c.settle(func() error { return s.publish(0) }); err != nil {
			return err
		}
		settled := time.Since(began)
		c.expect(heldEvents)
		for range heldEvents {
			if err := s.publish(0); err != nil {
				return err
			}
		}
		if err := c.await(); err != nil {
			return err
		}
		if err := c.whole(heldEvents); err != nil {
			return err
		}
		r.Ours.Value = s.resident()
		r.Note = fmt.Sprintf("%.0f MiB without them; all heard %.1f s after the first came", empty, settled.Seconds())
		c.leave()
		return s.stop()
	})
}

// heldEvents are shown to those that are held, so that what a message costs is
// in the memory, too.
const heldEvents = 10
