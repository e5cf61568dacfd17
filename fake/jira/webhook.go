package jira

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Webhook is an event on its way, or one try to bring it there.
type Webhook struct {
	ID     string // the same at each try
	Event  string
	Issue  string // its key
	URL    string
	Header http.Header
	Body   []byte
	Status int   // of the answer; 0 when there was none
	Err    error // why there was none
}

// subscription is where webhooks go.
type subscription struct {
	url, secret, label string // label is what the issues must have; "" for all
	events             []string
}

var allEvents = []string{"jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created"}

// Subscribe has an administrator make a webhook for all events of issues, without a secret when that is empty.
func (s *Site) Subscribe(to, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions = append(s.subscriptions, subscription{url: to, secret: secret, events: allEvents})
}

// register makes an admin webhook.
func (s *Site) register(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name    string            `json:"name"`
		URL     string            `json:"url"`
		Secret  string            `json:"secret"`
		Events  []string          `json:"events"`
		Filters map[string]string `json:"filters"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	u, bad := url.Parse(in.URL)
	q, ok := s.query(in.Filters["issue-related-events-section"])
	switch {
	case s.o.NoAdmin:
		refuse(w, http.StatusForbidden, "You do not have permission to manage webhooks.", nil)
		return
	case err != nil || bad != nil || u.Host == "" || in.Name == "" || len(in.Events) == 0 || !ok:
		reply(w, http.StatusBadRequest, object{"messages": []object{{"key": "webhook is not valid"}}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions = append(s.subscriptions, subscription{url: in.URL, secret: in.Secret, events: in.Events, label: strings.Join(q.labels, "")})
	reply(w, http.StatusCreated, object{
		"name": in.Name, "url": in.URL, "events": in.Events, "enabled": true, "isSigned": in.Secret != "",
		"self": s.URL() + "/rest/webhooks/1.0/webhook/" + strconv.Itoa(len(s.subscriptions)),
	})
}

// stampedLate is how long after the change its event is stamped.
const stampedLate = 40 * time.Millisecond

// tell puts an event into the queue of every webhook that asked for it.
func (s *Site) tell(event string, i *Issue, by Person, changelog object) {
	s.changes++
	body := object{
		"timestamp": s.o.Now().Add(stampedLate).UnixMilli(), "webhookEvent": event, "user": by.reference(), "issue": s.shown(i, i.Status, i.changed),
		"issue_event_type_name": "issue_generic",
	}
	if changelog != nil {
		changelog["id"] = strconv.Itoa(s.changes)
		body["changelog"] = changelog
	}
	text, err := json.Marshal(body)
	if err != nil { // maps of plain values always marshal
		return
	}
	for _, to := range s.subscriptions {
		if slices.Contains(to.events, event) && (to.label == "" || slices.Contains(i.Labels, to.label)) {
			s.post.put(to.webhook(event, i.Key, text))
		}
	}
}

func (to subscription) webhook(event, key string, body []byte) Webhook {
	id := rand.Text()
	h := http.Header{
		"Content-Type": {"application/json; charset=UTF-8"}, "User-Agent": {"Atlassian Webhook HTTP Client"},
		"X-Atlassian-Webhook-Identifier": {id}, "X-Atlassian-Webhook-Flow": {"Primary"},
	}
	if to.secret != "" {
		h.Set("X-Hub-Signature", Sign(body, to.secret))
	}
	return Webhook{ID: id, Event: event, Issue: key, URL: to.url, Header: h, Body: body}
}

// Sign is the signature header of a body.
func Sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // a hash takes everything
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// How webhooks are sent. Source: Webhooks, "Retry policy".
const (
	mostTries  = 6
	answerTime = 20 * time.Second
	maxAnswer  = 64 << 10
)

// post sends webhooks one after the other, in one goroutine while there are any.
type post struct {
	site   *Site
	client *http.Client
	ctx    context.Context //nolint:containedctx // it is the life of the goroutine, which belongs to the post
	stop   context.CancelFunc
	inside sync.WaitGroup

	mu     sync.Mutex
	closed bool
	queue  []Webhook
	runs   bool
	idle   chan struct{} // closed when the queue is empty
}

func newPost(s *Site) *post {
	ctx, stop := context.WithCancel(context.Background())
	client := s.o.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{}}
	}
	return &post{site: s, client: client, ctx: ctx, stop: stop, idle: make(chan struct{})}
}

func (p *post) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.inside.Wait()
	p.client.CloseIdleConnections()
}

func (p *post) put(w Webhook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.queue = append(p.queue, w)
	if !p.runs {
		p.runs = true
		p.inside.Go(p.run)
	}
}

func (p *post) run() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.runs = false
			close(p.idle)
			p.idle = make(chan struct{})
			p.mu.Unlock()
			return
		}
		w := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()
		p.carry(w)
	}
}

// carry tries until the webhook is taken or refused, or has been tried often enough.
func (p *post) carry(w Webhook) {
	for try := range mostTries {
		if try > 0 {
			p.wait(p.site.o.RetryEvery)
			w.Header.Set("X-Atlassian-Webhook-Retry", strconv.Itoa(try))
		}
		status, err := p.send(p.ctx, w)
		again := err != nil || status >= http.StatusInternalServerError ||
			slices.Contains([]int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests}, status)
		if !again || p.ctx.Err() != nil {
			return
		}
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
	w.Header = w.Header.Clone()
	w.Status, w.Err = p.try(ctx, w)
	p.site.Webhooks.Add(w)
	return w.Status, w.Err
}

func (p *post) try(ctx context.Context, w Webhook) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
	if err != nil {
		return 0, fmt.Errorf("the address of the webhook: %w", err)
	}
	r.Header = w.Header
	answer, err := p.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("the receiver did not answer: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // the status is the answer; this saves the connection
	return answer.StatusCode, nil
}

// Send sends a webhook once, now: one that was sent before, for a duplicate.
func (s *Site) Send(ctx context.Context, w Webhook) (status int, err error) {
	return s.post.send(ctx, w)
}

// Flush waits until no webhook is on its way.
func (s *Site) Flush(ctx context.Context) error {
	for {
		s.post.mu.Lock()
		runs, idle := s.post.runs, s.post.idle
		s.post.mu.Unlock()
		if !runs {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("webhooks are still on their way: %w", ctx.Err())
		}
	}
}
