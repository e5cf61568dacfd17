package graph

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin/dispatch"
)

// batchWindow is how long the first who asks waits for others to join.
const batchWindow = 300 * time.Microsecond

var errNoAnswer = errors.New("the question to the books got no answer")

// maxBatch bounds the ids of one question to the books.
const maxBatch = 500

// loader asks for many things by id with one question, and for each thing once.
// It lives as long as one answer.
type loader[T any] struct {
	fetch func(ctx context.Context, ids []string) (map[string]T, error)

	mu      sync.Mutex
	open    *batch[T] // takes more ids
	batches map[string]*batch[T]
}

// pages are loaders of the first pages of what belongs to many owners, one for
// each size of a page.
type pages[T any] struct {
	fetch func(ctx context.Context, ids []string, first int) (map[string]dispatch.List[T], error)

	mu     sync.Mutex
	bySize map[int]*loader[dispatch.List[T]]
}

func (p *pages[T]) load(ctx context.Context, owner string, first int) (dispatch.List[T], error) {
	l, _, err := p.of(first).load(ctx, owner)
	return l, err
}

func (p *pages[T]) of(first int) *loader[dispatch.List[T]] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bySize == nil {
		p.bySize = map[int]*loader[dispatch.List[T]]{}
	}
	if p.bySize[first] == nil {
		p.bySize[first] = &loader[dispatch.List[T]]{fetch: func(ctx context.Context, ids []string) (map[string]dispatch.List[T], error) {
			return p.fetch(ctx, ids, first)
		}}
	}
	return p.bySize[first]
}

type batch[T any] struct {
	ids   []string
	done  chan struct{}
	found map[string]T
	err   error
}

// load gives the thing with that id; ok is false when there is none.
func (l *loader[T]) load(ctx context.Context, id string) (thing T, ok bool, err error) {
	b, first := l.join(id)
	if first {
		l.run(ctx, b)
	}
	<-b.done
	thing, ok = b.found[id]
	return thing, ok, b.err
}

// ahead loads things that will be asked for, at once.
func (l *loader[T]) ahead(ctx context.Context, ids []string) {
	for some := range slices.Chunk(l.unasked(ids), maxBatch) {
		b := &batch[T]{ids: some, done: make(chan struct{})}
		l.mu.Lock()
		for _, id := range some {
			l.batches[id] = b
		}
		l.mu.Unlock()
		l.fill(ctx, b)
	}
}

// unasked are those of the ids that nobody has asked for, each once.
func (l *loader[T]) unasked(ids []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.batches == nil {
		l.batches = make(map[string]*batch[T], len(ids))
	}
	known := make(map[string]bool, len(ids))
	return slices.DeleteFunc(ids, func(id string) bool {
		twice := known[id] || l.batches[id] != nil
		known[id] = true
		return twice
	})
}

// fill asks the question of a batch.
func (l *loader[T]) fill(ctx context.Context, b *batch[T]) {
	defer close(b.done)
	b.err = errNoAnswer // what the others hear when fetch panics
	b.found, b.err = l.fetch(ctx, b.ids)
}

// join puts the id into a batch. Whoever is the first in a batch must run it.
func (l *loader[T]) join(id string) (b *batch[T], first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.batches[id]; ok {
		return b, false
	}
	if l.open == nil || len(l.open.ids) == maxBatch {
		l.open = &batch[T]{done: make(chan struct{})}
	}
	b = l.open
	b.ids = append(b.ids, id)
	if l.batches == nil {
		l.batches = map[string]*batch[T]{}
	}
	l.batches[id] = b
	return b, len(b.ids) == 1
}

func (l *loader[T]) run(ctx context.Context, b *batch[T]) {
	wait := time.NewTimer(batchWindow)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	if l.open == b {
		l.open = nil
	}
	l.mu.Unlock()
	l.fill(ctx, b)
}
