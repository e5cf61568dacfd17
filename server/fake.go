package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"
	"time"

	"tocsin/fake"
	"tocsin/fake/jira"
	"tocsin/fake/pagerduty"
	"tocsin/fake/peplink"
	"tocsin/fake/sentinelone"
	"tocsin/fake/servicenow"
	"tocsin/fake/slack"
	"tocsin/fake/smtp"
	"tocsin/fake/webhook"
)

// Fake runs a vendor that behaves as its documentation says and fails by
// script, so that everything can be tried without an account.
type Fake struct {
	Vendor string `arg:"" enum:"slack,pagerduty,jira,servicenow,sentinelone,peplink,smtp,webhook" help:"Which one: slack, pagerduty, jira, servicenow, sentinelone, peplink, smtp or webhook."`
	Listen string `default:"127.0.0.1:0" help:"Where it listens."`
	Script string `type:"existingfile" placeholder:"FILE" env:"-" help:"JSON list of what goes wrong, in order, such as [{\"status\": 503, \"times\": 2}, {\"apply\": true, \"reset\": true}]."`
}

// vendor is a fake at work: where it is, how an actor is set up to talk to it,
// what its people can do, and what has come and gone.
type vendor struct {
	url    string
	actor  map[string]any // the input of createActor
	people people
	feeds  []feed
	close  func() error
}

// Run runs the vendor until ctx ends, and prints what comes and goes.
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
	fmt.Fprintf(std.out, "A fake %s is at %s until you end it.\nStart the server with --allow-outbound 127.0.0.1 and make an actor of it:\n"+
		"%s\nwith the variables\n%s\n%s", f.Vendor, v.url, createActor, input, v.people.usage(v.url))
	var printing sync.WaitGroup
	for _, next := range v.feeds {
		printing.Go(func() { next.print(ctx, std.out) })
	}
	printing.Wait()
	return nil
}

const createActor = "mutation($input: CreateActorInput!) { createActor(input: $input) { actor { id inboundUrl } userErrors { message path } } }"

// fakeThreat is the one threat of the fake console.
const fakeThreat = "225494730938493804"

// fakeClient is the one client of the fake InControl.
const fakeClient = "WS-0142"

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
		return f.openHTTP(w, w.Server, workspacePeople(w), func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"apiUrl": url + "/api/"}, "secrets": map[string]any{"botToken": "xoxb-fake", "appToken": "xapp-fake"}}
		})
	case "pagerduty":
		a := pagerduty.New(pagerduty.Options{})
		v, err := f.openHTTP(a, a.Server, accountPeople(a), func(url string) map[string]any {
			return map[string]any{
				"settings": map[string]any{"eventsUrl": url, "apiUrl": url, "from": "alert-dispatch@example.com"},
				"secrets":  map[string]any{"integrationKey": "0123456789abcdef0123456789abcdef", "token": "u+fakefakefakefakefake"}, //nolint:gosec // they open nothing but the fake
			}
		})
		v.feeds = append(v.feeds, feedOf(&a.Webhooks, func(w pagerduty.Webhook) string {
			return fmt.Sprintf("%s %s goes to %s and is answered %s", time.Now().Format(clock), w.Event, w.URL, answered(w))
		}))
		return v, err
	case "jira":
		s := jira.New(jira.Options{})
		return f.openHTTP(s, s.Server, sitePeople(s), func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url, "email": "bot@example.com"}, "secrets": map[string]any{"apiToken": "token-of-the-fake"}}
		})
	case "servicenow":
		i := servicenow.New(servicenow.Options{})
		return f.openHTTP(i, i.Server, instancePeople(i), func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url, "username": "tocsin"}, "secrets": map[string]any{"password": "password-of-the-fake"}}
		})
	case "sentinelone":
		c := sentinelone.New(sentinelone.Options{})
		c.AddThreat(sentinelone.Threat{ID: fakeThreat})
		return f.openHTTP(c, c.Server, consolePeople(c), func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url}, "secrets": map[string]any{"apiToken": "token-of-the-fake"}}
		})
	case "peplink":
		c := stockedInControl()
		return f.openHTTP(c, c.Server, nil, func(url string) map[string]any {
			return map[string]any{
				"settings": map[string]any{"url": url, "organization": "aBcDeF", "clientId": "client-of-the-fake", "allowBlock": true, "allowReboot": true},
				"secrets":  map[string]any{"clientSecret": "secret-of-the-fake"},
			}
		})
	default:
		r := webhook.New(webhook.Options{})
		return f.openHTTP(r, r.Server, nil, func(url string) map[string]any {
			return map[string]any{"settings": map[string]any{"url": url}}
		})
	}
}

// stockedInControl has a router with a client, and an access list to block it by.
func stockedInControl() *peplink.InControl {
	c := peplink.New(peplink.Options{Limits: true})
	c.AddGroup(3, "Branches", peplink.Device{
		ID: 1201, SN: "2930-1111-2222", Name: "branch-01",
		Clients: []peplink.Client{{IP: "192.0.2.42", MAC: "02:00:5E:10:00:42", Name: fakeClient}},
	})
	c.AddEvent(3, peplink.Event{DeviceID: 1201, SSID: "Office", ClientName: fakeClient, Detail: "Associated"})
	c.SetList(3, peplink.List{ID: 12, Name: "dispatch-deny", Address: []string{}})
	return c
}

// openHTTP starts a vendor that speaks HTTP. What ends it may be more than its server.
func (f *Fake) openHTTP(whole interface{ Close() error }, s *fake.Server, p people, actor func(url string) map[string]any) (vendor, error) {
	steps, err := readSteps[fake.Step](f.Script)
	if err != nil {
		return vendor{}, err
	}
	if p != nil {
		s.People = p
	}
	s.Play(steps...)
	if err := s.Start(f.Listen); err != nil {
		return vendor{}, fmt.Errorf("--listen: %w", err)
	}
	requests := feedOf(&s.Requests, func(r fake.Request) string {
		return fmt.Sprintf("%s %s %s %s", r.Time.Format(clock), r.Method, r.URL, cut(r.Body))
	})
	return vendor{s.URL(), actor(s.URL()), p, []feed{requests}, whole.Close}, nil
}

func (f *Fake) openMail() (vendor, error) {
	steps, err := readSteps[smtp.Step](f.Script)
	if err != nil {
		return vendor{}, err
	}
	s, err := smtp.New(smtp.Options{})
	if err != nil {
		return vendor{}, err
	}
	s.Play(steps...)
	if err := s.Start(f.Listen); err != nil {
		return vendor{}, fmt.Errorf("--listen: %w", err)
	}
	at := url.URL{Host: s.Addr()}
	commands := feedOf(&s.Commands, func(c smtp.Command) string {
		return fmt.Sprintf("%s connection %d: %s %s", time.Now().Format(clock), c.Conn, c.Phase, c.Arg)
	})
	messages := feedOf(&s.Messages, func(m smtp.Message) string {
		return fmt.Sprintf("%s taken, to %v: %s", m.Time.Format(clock), m.To, m.Header.Get("Subject"))
	})
	actor := map[string]any{"settings": map[string]any{"host": at.Hostname(), "port": json.Number(at.Port()), "tls": "NONE", "from": "tocsin@example.com"}}
	return vendor{s.Addr(), actor, nil, []feed{commands, messages}, s.Close}, nil
}

// readSteps reads the script of a file, none of which may be unplayable.
func readSteps[S interface{ Check() error }](file string) ([]S, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--script: %w", err)
	}
	var each []json.RawMessage
	if err := json.Unmarshal(text, &each); err != nil {
		return nil, fmt.Errorf("--script %s: %w; give a JSON list of steps", file, err)
	}
	steps := make([]S, len(each))
	for i, one := range each {
		d := json.NewDecoder(bytes.NewReader(one))
		d.DisallowUnknownFields()
		if err := d.Decode(&steps[i]); err != nil {
			return nil, fmt.Errorf("--script %s, step %d: %w; tocsin fake --help shows steps", file, i+1, err)
		}
		if err := steps[i].Check(); err != nil {
			return nil, fmt.Errorf("--script %s, step %d: %w", file, i+1, err)
		}
	}
	return steps, nil
}

// clock is how a line begins.
const clock = "15:04:05"

// feed waits for more than it has seen and returns what is new, on a line each.
type feed func(ctx context.Context, seen int) ([]string, error)

func feedOf[T any](log *fake.Log[T], line func(T) string) feed {
	return func(ctx context.Context, seen int) ([]string, error) {
		all, err := log.Wait(ctx, seen+1)
		if err != nil {
			return nil, err
		}
		var out []string
		for _, item := range all[seen:] {
			out = append(out, line(item))
		}
		return out, nil
	}
}

// print prints what comes until ctx ends, for nothing else ends a feed.
func (f feed) print(ctx context.Context, out io.Writer) {
	for seen := 0; ; {
		lines, err := f(ctx, seen)
		if err != nil {
			return
		}
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
		seen += len(lines)
	}
}

func answered(w pagerduty.Webhook) string {
	if w.Err != nil {
		return "not: " + w.Err.Error()
	}
	return fmt.Sprint(w.Status)
}

// cut is the beginning of a body, on one line.
func cut(body []byte) string {
	const most = 2000
	if len(body) > most {
		return fmt.Sprintf("%q… (%d bytes)", body[:most], len(body))
	}
	return fmt.Sprintf("%q", body)
}
