package server

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestDemo starts the demo as README does, finds what it promises in what it
// prints, and runs the three commands that it proposes.
func TestDemo(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "serve", "--demo", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := until(t, out, "raiseAlert(")
	for _, want := range []string{"4 deliveries made", "T-1 T-2", "/graphiql/", "/schema.graphql"} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo does not print %q:\n%s", want, text)
		}
	}
	a := api{
		t, regexp.MustCompile(`TOCSIN_SERVER=(\S+)`).FindStringSubmatch(text)[1],
		regexp.MustCompile(`TOCSIN_TOKEN=(\S+)`).FindStringSubmatch(text)[1],
	}
	var queries []string
	for _, body := range regexp.MustCompile(`(?m)-d '(.*)'$`).FindAllStringSubmatch(text, -1) {
		var request struct{ Query string }
		if err := json.Unmarshal([]byte(body[1]), &request); err != nil {
			t.Fatalf("the command sends %s: %v", body[1], err)
		}
		queries = append(queries, request.Query)
	}
	if len(queries) != 3 {
		t.Fatalf("the demo proposes %d commands, want 3", len(queries))
	}
	events, err := a.stream(t.Context(), strings.Replace(queries[1], "ticketStatusChanged", "ticketEvents: ticketStatusChanged", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	a.ask(queries[2], nil, nil)
	if e := next(t, events); e.Status != "OPEN" {
		t.Errorf("the stream showed %+v, want a ticket that opens", e)
	}
	var data struct {
		Tickets       struct{ Nodes []struct{ Number int } }
		Notifications struct{ Nodes []struct{ Title string } }
		Accounting    struct {
			Promised, Delivered int
			Balances            bool
		}
	}
	a.eventually("delivery of all", queries[0], nil, &data, func() bool { return data.Accounting.Delivered == 6 })
	a.ask(queries[0], nil, &data) // the fields of one query are not read at one moment
	if len(data.Tickets.Nodes) != 3 || len(data.Notifications.Nodes) != 3 || !data.Accounting.Balances {
		t.Errorf("the demo holds %+v, want 3 tickets, 3 notifications and 6 deliveries", data)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v", err)
	}
}

// until reads lines up to one that holds a text.
func until(t *testing.T, r io.Reader, last string) string {
	t.Helper()
	var text strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), last) {
			return text.String()
		}
	}
	t.Fatalf("the output ended without %q:\n%s", last, text.String())
	return ""
}
