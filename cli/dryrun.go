package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DryRun asks a server what would follow from an alert; nothing is stored or
// sent.
type DryRun struct {
	Server Server `embed:""`
	Alert  string `help:"JSON file with the alert, as the API takes it (RaiseAlertInput)." required:"" placeholder:"FILE" env:"-"`
	JSON   bool   `name:"json" help:"Print the answer as JSON, as the API gives it." env:"-"`
}

// Help is the long help of the command.
func (*DryRun) Help() string {
	return `Tells for each action that applies to the alert whether it would fire and why,
what each clause of its condition saw, what its lambdas did, and the requests
that would be sent, secrets masked. Nothing is stored or sent.

The token needs the scope READ. With CONFIGURE as well, what must be looked up
at a receiver first, to tell what would be sent, is looked up.

Exit codes: 0 the server told, 1 it refused or could not be reached, 2 the
command line or the file is wrong, 130 interrupted.`
}

// dryRunQuery asks for all that is told of a dry run.
const dryRunQuery = `mutation($input:DryRunInput!){dryRun(input:$input){
wouldOpenTicket wouldJoinTicket{number title status}
decisions{actionName verdict reason problems condition{expression values result}
lambdas{name version durationMs changed difference logs error} requests{apiConfigName request problem}}
userErrors{code message path}}}`

// Run asks the server and prints what it tells.
func (d *DryRun) Run(ctx context.Context, std IO) error {
	c, err := d.Server.client("READ")
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	body, err := d.body()
	if err != nil {
		return err
	}
	var data struct{ DryRun json.RawMessage }
	err = c.ask(ctx, body, &data)
	switch {
	case ctx.Err() != nil:
		return exit{codeInterrupted, "interrupted"}
	case err != nil:
		return err
	}
	return d.tell(std.Out, data.DryRun)
}

// body is the request.
func (d *DryRun) body() ([]byte, error) {
	alert, err := readObject("--alert", d.Alert)
	if err != nil {
		return nil, err
	}
	if alert, err = fromTocsin(alert, "dry-run"); err != nil {
		return nil, exit{codeUsage, plain(fmt.Sprintf("--alert: %s: %v", d.Alert, err))}
	}
	return encode(operation{Query: dryRunQuery, Variables: map[string]any{"input": map[string]json.RawMessage{"alert": alert}}})
}

// tell prints an answer.
func (d *DryRun) tell(out io.Writer, answered json.RawMessage) error {
	var got *dryRan
	if json.Unmarshal(answered, &got) != nil || got == nil {
		return errors.New("the server answered without a result; see its log")
	}
	if len(got.UserErrors) > 0 {
		return exit{1, "the server does not take the alert: " + plain(messages(got.UserErrors))}
	}
	text := got.String()
	if d.JSON {
		var indented bytes.Buffer
		if err := json.Indent(&indented, answered, "", "  "); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		text = printable(indented.String()) + "\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

func messages(list []userError) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.Message
	}
	return strings.Join(texts, "; ")
}
