package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Limits of one request, as the contract has them.
const (
	maxAlerts = 500
	maxBody   = 8 << 20 // bytes
)

// linger is how long an alert waits for others to share a request with it.
const linger = 200 * time.Millisecond

// What is around the alerts in the body of a request.
const (
	bodyHead = `{"query":"mutation($input:RaiseAlertsInput!){raiseAlerts(input:$input){results{isRepeat userErrors{message path}} userErrors{message}}}","variables":{"input":{"alerts":[`
	bodyTail = `]}}}`
)

// sender hands entries to the server in batches, one after the other.
type sender struct {
	client   *client
	retryFor time.Duration
	err      io.Writer
	tally    tally
	progress progress

	batch []entry
	size  int // bytes of the body that the batch makes
}

// run sends what comes until the channel is closed. An error means that the
// rest of the input was not sent.
func (s *sender) run(ctx context.Context, entries <-chan entry) error {
	var due <-chan time.Time
	for {
		select {
		case e, more := <-entries:
			if !more || e.failed != nil {
				return errors.Join(s.flush(ctx), e.failed)
			}
			if err := s.add(ctx, e); err != nil {
				return err
			}
			if len(s.batch) == 1 {
				due = time.After(linger)
			}
		case <-due:
			if err := s.flush(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add takes one entry, and sends the batch before it when they do not fit into
// one request, or when the batch is full.
func (s *sender) add(ctx context.Context, e entry) error {
	const around = len(bodyHead) + len(bodyTail)
	switch {
	case e.problem != "":
		return s.reject(e, e.problem)
	case e.alert == nil:
		s.tally.skipped++
		return nil
	case around+len(e.alert) > maxBody:
		return s.reject(e, fmt.Sprintf("makes a request of more than %d MiB; shorten it", maxBody>>20))
	}
	if len(s.batch) > 0 && s.size+len(",")+len(e.alert) > maxBody {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	if len(s.batch) == 0 {
		s.size = around - len(",") // the first has none before it
	}
	s.batch = append(s.batch, e)
	s.size += len(",") + len(e.alert)
	if len(s.batch) == maxAlerts {
		return s.flush(ctx)
	}
	return nil
}

// flush sends what is in hand.
func (s *sender) flush(ctx context.Context) error {
	batch := s.batch
	s.batch = nil
	if len(batch) == 0 {
		return nil
	}
	err := s.send(ctx, batch)
	s.progress.show(batch[len(batch)-1].read, s.tally)
	return err
}

// send sends a batch; when the server refuses it as a whole, in halves, down to
// the alert that it does not take.
func (s *sender) send(ctx context.Context, batch []entry) error {
	err := s.ask(ctx, batch)
	f, ok := errors.AsType[*fault](err)
	switch {
	case !ok || f.cure != smaller:
		return err
	case len(batch) == 1:
		return s.reject(batch[0], f.text)
	}
	half := len(batch) / 2
	if err := s.send(ctx, batch[:half]); err != nil {
		return err
	}
	return s.send(ctx, batch[half:])
}

// ask sends a batch until the server has an answer, always with the same keys.
func (s *sender) ask(ctx context.Context, batch []entry) error {
	body := bodyOf(batch)
	wait := backoff{least: 500 * time.Millisecond, most: 15 * time.Second}
	began := time.Now()
	for {
		var data raised
		err := s.client.ask(ctx, body, &data)
		if err == nil {
			return s.record(batch, data)
		}
		f, ok := errors.AsType[*fault](err)
		if ctx.Err() != nil || !ok || f.cure != again {
			return err
		}
		pauseFor := wait.next(f.after)
		if time.Since(began)+pauseFor > s.retryFor {
			return fmt.Errorf("no answer within --retry-for %s: %w; see to the server", s.retryFor, err)
		}
		s.progress.clear()
		fmt.Fprintf(s.err, "trying again in %s: %s\n", pauseFor.Round(100*time.Millisecond), f)
		if err := pause(ctx, pauseFor); err != nil {
			return err
		}
	}
}

func bodyOf(batch []entry) []byte {
	var body bytes.Buffer
	body.WriteString(bodyHead)
	for i, e := range batch {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(e.alert)
	}
	body.WriteString(bodyTail)
	return body.Bytes()
}

// raised is the data of an answer.
type raised struct {
	RaiseAlerts *struct {
		Results    []result    `json:"results"`
		UserErrors []userError `json:"userErrors"`
	} `json:"raiseAlerts"`
}

type result struct {
	IsRepeat   bool        `json:"isRepeat"`
	UserErrors []userError `json:"userErrors"`
}

type userError struct {
	Message string   `json:"message"`
	Path    []string `json:"path"`
}

// record counts what became of each alert of a batch.
func (s *sender) record(batch []entry, data raised) error {
	if data.RaiseAlerts == nil {
		return errors.New("the server answered without a result; see its log")
	}
	got := *data.RaiseAlerts
	if len(got.Results) == 0 && len(got.UserErrors) > 0 {
		return &fault{cure: smaller, text: got.UserErrors[0].Message}
	}
	if len(got.Results) != len(batch) {
		return fmt.Errorf("the server answered for %d alerts of %d; see its log", len(got.Results), len(batch))
	}
	for i, r := range got.Results {
		switch {
		case len(r.UserErrors) > 0:
			if err := s.reject(batch[i], problems(r.UserErrors)); err != nil {
				return err
			}
		case r.IsRepeat:
			s.tally.repeated++
		default:
			s.tally.accepted++
		}
	}
	return nil
}

// problems joins what the server says of one alert as "path: message"; the path
// is told within the alert.
func problems(list []userError) string {
	parts := make([]string, len(list))
	for i, e := range list {
		path := e.Path
		if len(path) > 3 { // input, alerts, and the place in the batch
			path = path[3:]
		}
		name := strings.Join(path, ".")
		parts[i] = name + ": " + strings.TrimPrefix(e.Message, name+" ")
	}
	return strings.Join(parts, "; ")
}

// reject names a line that is not raised, and why.
func (s *sender) reject(e entry, problem string) error {
	s.tally.reject(e.line)
	s.progress.clear()
	_, err := fmt.Fprintf(s.err, "%s:%d: %s\n", s.tally.file, e.line, plain(problem))
	return err
}
