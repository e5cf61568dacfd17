package pagerduty

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// How webhooks are sent. Source: Webhooks v3 overview; the times between tries are not told there.
const (
	answerTime = 5 * time.Second
	giveUp     = 48 * time.Hour
	maxDrops   = 3
	longest    = time.Minute
)

// post sends webhooks: in order for each subscription and incident, and beside each other for all else. Each lane is a
// goroutine while it has something to send.
type post struct {
	account *Account
	client  *http.Client
	ctx     context.Context //nolint:containedctx // it is the life of the lanes, which belong to the post
	stop    context.CancelFunc
	lanes   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	isHeld bool
	held   []Webhook
	queues map[string][]Webhook // a queue that is there has a lane
	idle   chan struct{}        // closed when the last queue is gone
}

func newPost(a *Account) *post {
	ctx, stop := context.WithCancel(context.Background())
	client := a.o.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{}}
	}
	return &post{account: a, client: client, ctx: ctx, stop: stop, queues: map[string][]Webhook{}, idle: make(chan struct{})}
}

func (p *post) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.lanes.Wait()
	p.client.CloseIdleConnections()
}

// put sends a webhook after those before it, or keeps it while they are held.
func (p *post) put(w Webhook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isHeld {
		p.held = append(p.held, w)
		return
	}
	p.queue(w)
}

func (p *post) queue(w Webhook) {
	if p.closed {
		return
	}
	lane := w.Subscription + " " + w.Incident
	waiting, runs := p.queues[lane]
	p.queues[lane] = append(waiting, w)
	if !runs {
		p.lanes.Go(func() { p.run(lane) })
	}
}

func (p *post) run(lane string) {
	for {
		p.mu.Lock()
		waiting := p.queues[lane]
		if len(waiting) == 0 {
			delete(p.queues, lane)
			if len(p.queues) == 0 {
				close(p.idle)
				p.idle = make(chan struct{})
			}
			p.mu.Unlock()
			return
		}
		p.queues[lane] = waiting[1:]
		p.mu.Unlock()
		p.carry(waiting[0])
	}
}

// carry brings a webhook to its subscription, however long it takes.
func (p *post) carry(w Webhook) {
	p.wait(time.Until(w.due))
	began, pause := time.Now(), p.account.o.RetryEvery
	for p.ctx.Err() == nil && p.account.wanted(w.Subscription) {
		status, err := p.send(p.ctx, w)
		again := err != nil || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
		if !again || time.Since(began) > giveUp {
			p.account.ended(w, again || status >= http.StatusMultipleChoices)
			return
		}
		p.wait(pause)
		pause = min(2*pause, longest)
	}
}

func (p *post) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// send tries once.
func (p *post) send(ctx context.Context, w Webhook) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	w.Status, w.Err = p.try(ctx, w)
	p.account.Webhooks.Add(w)
	return w.Status, w.Err
}

func (p *post) try(ctx context.Context, w Webhook) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
	if err != nil {
		return 0, fmt.Errorf("the address of the webhook: %w", err)
	}
	r.Header = w.Header.Clone()
	answer, err := p.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("the receiver did not answer: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // the status is the answer; this saves the connection
	return answer.StatusCode, nil
}

const maxAnswer = 64 << 10

// HoldWebhooks keeps from now on what is to be sent.
func (a *Account) HoldWebhooks() {
	a.post.mu.Lock()
	defer a.post.mu.Unlock()
	a.post.isHeld = true
}

// TakeWebhooks are those that were held, in the order of their events; they are not sent any more, but by Send.
func (a *Account) TakeWebhooks() []Webhook {
	a.post.mu.Lock()
	defer a.post.mu.Unlock()
	held := a.post.held
	a.post.held = nil
	return held
}

// ReleaseWebhooks sends what was held, and holds no more.
func (a *Account) ReleaseWebhooks() {
	a.post.mu.Lock()
	defer a.post.mu.Unlock()
	for _, w := range a.post.held {
		a.post.queue(w)
	}
	a.post.isHeld, a.post.held = false, nil
}

// Send sends a webhook once, now: one that was sent before, for a duplicate, or one that was held, in any order.
func (a *Account) Send(ctx context.Context, w Webhook) (status int, err error) {
	return a.post.send(ctx, w)
}

// Flush waits until no webhook is on its way; what is held does not count.
func (a *Account) Flush(ctx context.Context) error {
	for {
		a.post.mu.Lock()
		n, idle := len(a.post.queues), a.post.idle
		a.post.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("webhooks to %d incidents are still on their way: %w", n, ctx.Err())
		}
	}
}
