package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tocsin/dispatch"
	"tocsin/fake/webhook"
)

// demoSecret signs the demo's webhooks. It protects nothing: the receiver is
// the demo's own and lives as long as it.
const demoSecret = "whsec_dG9jc2luLWRlbW8tc2VjcmV0LW5vdC1mb3ItdXNl" //nolint:gosec // as said

// demoTime bounds how long the demo waits for its own deliveries.
const demoTime = 30 * time.Second

// runDemo serves an example in a throw-away directory until ctx ends.
func (s *Serve) runDemo(ctx context.Context, std streams) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sink := webhook.New(webhook.Options{Secrets: []string{demoSecret}})
	if err := sink.Start("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the demo's receiver: %w", err)
	}
	defer sink.Close()
	s.Data, s.Database, s.KeyFile, s.LogFormat = dir, "", "", "text"
	s.AllowOutbound = append(s.AllowOutbound, "127.0.0.1/32")
	h, err := s.open(ctx, streams{std.in, std.out, io.Discard})
	if err != nil {
		return err
	}
	text, err := makeToken(ctx, h.store, "administrator", []dispatch.Scope{dispatch.ScopeAdmin}, nil)
	if err != nil {
		return errors.Join(err, h.close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- h.run(ctx) }()
	d := demo{desk: h.desk, sink: sink, url: h.publicURL, token: text, out: std.out}
	if err := d.show(ctx); err != nil {
		cancel()
		return errors.Join(err, <-served)
	}
	return <-served
}

// demo is an example that is configured and raised as a user would, by the
// desk that the API calls.
type demo struct {
	desk  *dispatch.Desk
	sink  *webhook.Receiver
	url   string
	token string
	out   io.Writer
}

func (d demo) show(ctx context.Context) error {
	caller := dispatch.Caller{Name: "demo", Scopes: []dispatch.Scope{dispatch.ScopeAdmin}}
	if err := d.configure(ctx, caller); err != nil {
		return fmt.Errorf("configure the demo: %w", err)
	}
	tickets, err := d.raise(ctx, caller)
	if err != nil {
		return fmt.Errorf("raise the demo's alerts: %w", err)
	}
	sent, err := d.delivered(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nTocsin demo: everything below is thrown away when it ends (Ctrl-C).\n\n"+
		"  %d deliveries made: signed webhooks to %s and messages on the notifications page\n"+
		"  open tickets: %s\n\n"+
		"Open:\n  %s/graphiql/    the API in a page; paste the token at its top\n  %s/schema.graphql\n  %s/metrics\n\n"+
		"Administrator token: %s\n\nTry:\n%s\n", sent, d.sink.URL(), tickets, d.url, d.url, d.url, d.token, d.commands())
	return nil
}

// commands are three to try: a query, a mutation, a stream.
func (d demo) commands() string {
	return fmt.Sprintf(`  export TOCSIN_SERVER=%[1]s TOCSIN_TOKEN=%[2]s

  curl -s $TOCSIN_SERVER/graphql -H "Authorization: Bearer $TOCSIN_TOKEN" -H 'Content-Type: application/json' \
    -d '{"query":"{tickets{nodes{number title status severity}} notifications{nodes{title}} accounting{promised delivered balances}}"}'

  curl -sN $TOCSIN_SERVER/graphql -H "Authorization: Bearer $TOCSIN_TOKEN" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \
    -d '{"query":"subscription{ticketStatusChanged{cursor status ticket{number title}}}"}'

  curl -s $TOCSIN_SERVER/graphql -H "Authorization: Bearer $TOCSIN_TOKEN" -H 'Content-Type: application/json' \
    -d '{"query":"mutation{raiseAlert(input:{behaviorModel:\"O365_Impossible_Travel\",summary:\"Sign-in from two continents\",key:\"mallory\",severity:CRITICAL}){ticketNumber deliveryCount userErrors{message path}}}"}'
`, d.url, d.token)
}

func (d demo) configure(ctx context.Context, c dispatch.Caller) error {
	models := map[string]string{"O365_Impossible_Travel": "Account Takeover", "O365_Inbox_Rule_Created": "Account Takeover", "Host_Port_Scan": "Network"}
	for name, group := range models {
		if _, err := d.desk.CreateBehaviorModel(ctx, c, dispatch.CreateBehaviorModelInput{Name: name, Group: &group}); err != nil {
			return err
		}
	}
	notification, err := d.desk.CreateAPIConfig(ctx, c, dispatch.CreateAPIConfigInput{ActorType: "notification"})
	if err != nil {
		return err
	}
	actor, err := d.desk.CreateActor(ctx, c, dispatch.CreateActorInput{
		Type: "webhook", Name: "Demo receiver", Settings: object("url", d.sink.URL()), Secrets: object("signingSecret", demoSecret),
	})
	if err != nil {
		return err
	}
	name := "Demo-Webhook"
	hook, err := d.desk.CreateAPIConfig(ctx, c, dispatch.CreateAPIConfigInput{Name: &name, ActorType: "webhook", ActorID: &actor.ID})
	if err != nil {
		return err
	}
	all, condition := true, `alert.severity in ["HIGH", "CRITICAL"]`
	_, err = d.desk.CreateAction(ctx, c, dispatch.CreateActionInput{
		Name: "Page for what is severe", AllModels: &all, Condition: &condition, APIConfigIDs: []string{hook.ID, notification.ID},
	})
	return err
}

func object(name, text string) dispatch.JSON {
	raw, err := json.Marshal(map[string]string{name: text})
	if err != nil { // a map of texts always marshals
		return nil
	}
	return raw
}

// raise raises a few alerts and names the tickets that they opened.
func (d demo) raise(ctx context.Context, c dispatch.Caller) (tickets string, err error) {
	severe, mild := dispatch.High, dispatch.Low
	alice, bob, host := "alice@example.com", "bob@example.com", "10.1.4.7"
	username, ip := "username", "ip"
	raised, err := d.desk.RaiseAll(ctx, c, []dispatch.RaiseAlertInput{
		{BehaviorModel: "O365_Impossible_Travel", Summary: "Sign-in from Berlin and Lima within 10 minutes", Key: &alice, KeyType: &username, Severity: &severe},
		{BehaviorModel: "O365_Inbox_Rule_Created", Summary: "Inbox rule forwards mail outside", Key: &bob, KeyType: &username, Severity: &severe},
		{BehaviorModel: "Host_Port_Scan", Summary: "Port scan of 254 hosts", Key: &host, KeyType: &ip, Severity: &mild},
	})
	if err != nil {
		return "", err
	}
	for _, r := range raised {
		if r.Err != nil {
			return "", r.Err
		}
		if r.TicketNumber != nil {
			tickets += fmt.Sprintf("T-%d ", *r.TicketNumber)
		}
	}
	return tickets, nil
}

// delivered waits until nothing is pending and tells how many were delivered.
func (d demo) delivered(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, demoTime)
	defer cancel()
	watch, err := d.desk.WatchDeliveries(ctx, "", nil)
	if err != nil {
		return 0, err
	}
	for {
		a, err := d.desk.Accounting(ctx)
		if err != nil {
			return 0, err
		}
		if a.Promised > 0 && a.Delivered == a.Promised {
			return a.Delivered, nil
		}
		if _, ok := <-watch.C; !ok {
			return 0, fmt.Errorf("the demo's deliveries did not arrive within %s: %d of %d", demoTime, a.Delivered, a.Promised)
		}
	}
}
