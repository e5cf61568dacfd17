package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"tocsin/fake"
	"tocsin/fake/pagerduty"
	"tocsin/fake/sentinelone"
	"tocsin/fake/slack"
	"tocsin/fake/smtp"
	"tocsin/fake/webhook"
)

// Fake runs a vendor that behaves as its documentation says and fails by
// script, so that everything can be tried without an account.
type Fake struct {
	Vendor string `arg:"" enum:"slack,pagerduty,sentinelone,smtp,webhook" help:"Which one: slack, pagerduty, sentinelone, smtp or webhook."`
	Listen string `default:"127.0.0.1:0" help:"Where it listens."`
	Script string `type:"existingfile" placeholder:"FILE" env:"-" help:"JSON list of what goes wrong, in order, such as [{\"status\": 503, \"times\": 2}, {\"apply\": true, \"reset\": true}]."`
}

// vendor is a fake at work: where it is, how an actor is set up to talk to it,
// and what has come.
type vendor struct {
	url   string
	actor map[string]any // the input of createActor
	wait  func(ctx context.Context, n int) ([]string, error)
	close func() error
}

// Run runs the vendor until ctx ends, and prints what comes.
func (f *Fake) Run(ctx context.Context, std streams) (err error) {
	v, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	v.actor["type"], v.actor["name"] = actorType(f.Vendor), "Fake "+f.Vendor
	input, err := json.Marshal(map[string]any{"input": v.actor})
	if err != nil {
		return fmt.Errorf("write the actor: %w", err)
	}
	fmt.Fprintf(std.out, "A fake %s is at %s until you end it.\nStart the server with --allow-outbound 127.0.0.1 and make an actor of it: "+
		"createActor with the variables\n%s\n", f.Vendor, v.url, input)
	for n := 0; ; {
		lines, err := v.wait(ctx, n+1)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, line := range lines[n:] {
			fmt.Fprintln(std.out, line)
		}
		n = len(lines)
	}
}

// fakeThreat is the one threat of the fake console.
const fakeThreat = "225494730938493804"

func actorType(vendor string) string {
	if vendor == "smtp" {
		return "email"
	}
	return vendor
}

func (f *Fake) open() (vendor, error) {
	switch f.Vendor {
	case "smtp":
		return f.openMail()
	case "slack":
		w := slack.New(slack.Options{})
		return f.openHTTP(w, w.Server, func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"apiUrl": url + "/api/"}, "secrets": map[string]any{"botToken": "xoxb-fake", "appToken": "xapp-fake"}}
		})
	case "pagerduty":
		a := pagerduty.New(pagerduty.Options{})
		return f.openHTTP(a, a.Server, func(url string) map[string]any {
			return map[string]any{
				"settings": map[string]any{"eventsUrl": url, "apiUrl": url, "from": "alert-dispatch@example.com"},
				"secrets":  map[string]any{"integrationKey": "0123456789abcdef0123456789abcdef", "token": "u+fakefakefakefakefake"}, //nolint:gosec // they open nothing but the fake
			}
		})
	case "sentinelone":
		c := sentinelone.New(sentinelone.Options{})
		c.AddThreat(sentinelone.Threat{ID: fakeThreat})
		return f.openHTTP(c, c.Server, func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url}, "secrets": map[string]any{"apiToken": "token-of-the-fake"}}
		})
	default:
		r := webhook.New(webhook.Options{})
		return f.openHTTP(r, r.Server, func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url}}
		})
	}
}

// openHTTP starts a vendor that speaks HTTP. What ends it may be more than its server.
func (f *Fake) openHTTP(whole interface{ Close() error }, s *fake.Server, actor func(url string) map[string]any) (vendor, error) {
	var steps []fake.Step
	if err := f.read(&steps); err != nil {
		return vendor{}, err
	}
	if err := s.Start(f.Listen); err != nil {
		return vendor{}, fmt.Errorf("--listen: %w", err)
	}
	s.Play(steps...)
	wait := func(ctx context.Context, n int) ([]string, error) {
		return lines(ctx, &s.Requests, n, func(r fake.Request) string {
			return fmt.Sprintf("%s %s %s %s", r.Time.Format("15:04:05"), r.Method, r.URL, cut(r.Body))
		})
	}
	return vendor{s.URL(), actor(s.URL()), wait, whole.Close}, nil
}

func (f *Fake) openMail() (vendor, error) {
	var steps []smtp.Step
	if err := f.read(&steps); err != nil {
		return vendor{}, err
	}
	s, err := smtp.New(smtp.Options{})
	if err != nil {
		return vendor{}, err
	}
	if err := s.Start(f.Listen); err != nil {
		return vendor{}, fmt.Errorf("--listen: %w", err)
	}
	s.Play(steps...)
	at := url.URL{Host: s.Addr()}
	wait := func(ctx context.Context, n int) ([]string, error) {
		return lines(ctx, &s.Messages, n, func(m smtp.Message) string {
			return fmt.Sprintf("%s to %v: %s", m.Time.Format("15:04:05"), m.To, m.Header.Get("Subject"))
		})
	}
	actor := map[string]any{"settings": map[string]any{"host": at.Hostname(), "port": json.Number(at.Port()), "tls": "NONE", "from": "tocsin@example.com"}}
	return vendor{s.Addr(), actor, wait, s.Close}, nil
}

// read reads the script into a list of steps.
func (f *Fake) read(steps any) error {
	if f.Script == "" {
		return nil
	}
	text, err := os.ReadFile(f.Script)
	if err != nil {
		return fmt.Errorf("--script: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(steps); err != nil {
		return fmt.Errorf("--script %s, near byte %d: %w; give a JSON list of steps", f.Script, d.InputOffset(), err)
	}
	return nil
}

func lines[T any](ctx context.Context, log *fake.Log[T], n int, line func(T) string) ([]string, error) {
	all, err := log.Wait(ctx, n)
	out := make([]string, len(all))
	for i, item := range all {
		out[i] = line(item)
	}
	return out, err
}

// cut is the beginning of a body, on one line.
func cut(body []byte) string {
	const most = 2000
	if len(body) > most {
		return fmt.Sprintf("%q… (%d bytes)", body[:most], len(body))
	}
	return fmt.Sprintf("%q", body)
}
