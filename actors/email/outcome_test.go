package email

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"code.dny.dev/ssrf"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

// TestAnswers: what a server says at each step, the outcome that it leads to,
// and how many messages it took.
func TestAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		step smtp.Step
		want dispatch.OutcomeKind
		says string
		got  int
	}{
		"accepted":               {smtp.Step{}, dispatch.OutcomeDelivered, "", 1},
		"no such user":           {smtp.Step{Phase: smtp.Rcpt, Code: 550, Enhanced: "5.1.1", Text: "no such user"}, dispatch.OutcomeRefused, "550 5.1.1 no such user", 0},
		"relaying denied":        {smtp.Step{Phase: smtp.Rcpt, Code: 554, Enhanced: "5.7.1"}, dispatch.OutcomeRefused, "554", 0},
		"greylisted":             {smtp.Step{Phase: smtp.Rcpt, Code: 451, Enhanced: "4.7.1"}, dispatch.OutcomeDeferred, "451 4.7.1", 0},
		"mailbox full":           {smtp.Step{Phase: smtp.Rcpt, Code: 552, Enhanced: "5.2.2"}, dispatch.OutcomeDeferred, "552 5.2.2", 0},
		"login wanted at RCPT":   {smtp.Step{Phase: smtp.Rcpt, Code: 530, Enhanced: "5.7.0"}, dispatch.OutcomeMisconfigured, "settings.username", 0},
		"no space":               {smtp.Step{Phase: smtp.Data, Code: 452, Enhanced: "4.3.1"}, dispatch.OutcomeDeferred, "452 4.3.1", 0},
		"spam":                   {smtp.Step{Phase: smtp.Data, Code: 554, Enhanced: "5.7.1"}, dispatch.OutcomeRefused, "554 5.7.1", 0},
		"too large":              {smtp.Step{Phase: smtp.Data, Code: 552, Enhanced: "5.3.4"}, dispatch.OutcomeRefused, "552 5.3.4", 0},
		"lost in DATA":           {smtp.Step{Phase: smtp.Data, Drop: true}, dispatch.OutcomeUncertain, "the answer was lost", 0},
		"taken, answer lost":     {smtp.Step{Phase: smtp.Data, Apply: true, Drop: true}, dispatch.OutcomeUncertain, "the answer was lost", 1},
		"lost after the 250":     {smtp.Step{Phase: smtp.Data, DropAfter: true}, dispatch.OutcomeDelivered, "", 1},
		"421 for good":           {smtp.Step{Phase: smtp.Rcpt, Code: 421, Times: -1}, dispatch.OutcomeDeferred, "421", 0},
		"sender refused":         {smtp.Step{Phase: smtp.Mail, Code: 553}, dispatch.OutcomeMisconfigured, "settings.from", 0},
		"sender too quick":       {smtp.Step{Phase: smtp.Mail, Code: 451}, dispatch.OutcomeDeferred, "451", 0},
		"421 greeting":           {smtp.Step{Phase: smtp.Connect, Code: 421, Text: "too busy"}, dispatch.OutcomeDeferred, "421", 0},
		"554 greeting":           {smtp.Step{Phase: smtp.Connect, Code: 554}, dispatch.OutcomeMisconfigured, "settings.host", 0},
		"no greeting":            {smtp.Step{Phase: smtp.Connect, Drop: true}, dispatch.OutcomeDeferred, "its greeting", 0},
		"EHLO refused":           {smtp.Step{Phase: smtp.Hello, Code: 554, Times: -1}, dispatch.OutcomeMisconfigured, "settings.helo", 0},
		"lost in TLS":            {smtp.Step{Phase: smtp.Handshake, Drop: true}, dispatch.OutcomeDeferred, "TLS", 0},
		"bad password":           {smtp.Step{Phase: smtp.Auth, Code: 535, Enhanced: "5.7.8"}, dispatch.OutcomeMisconfigured, "secrets.password", 0},
		"two-step login":         {smtp.Step{Phase: smtp.Auth, Code: 534, Enhanced: "5.7.9"}, dispatch.OutcomeMisconfigured, "secrets.password", 0},
		"login out of order now": {smtp.Step{Phase: smtp.Auth, Code: 454, Enhanced: "4.7.0"}, dispatch.OutcomeDeferred, "454", 0},
		"lost at the login":      {smtp.Step{Phase: smtp.Auth, Drop: true}, dispatch.OutcomeDeferred, "the login", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := relay(t)
			if row.step != (smtp.Step{}) {
				s.Play(row.step)
			}
			out := p.deliver(t.Context(), exam.Parcel(1), to(alice))
			want(t, out, row.want)
			if row.says != "" {
				want(t, out, row.want, row.says)
			}
			if got := len(s.Messages.All()); got != row.got {
				t.Errorf("%d messages taken, want %d", got, row.got)
			}
			s.Behave()
			if row.want != dispatch.OutcomeDelivered {
				want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeDelivered)
			}
		})
	}
}

// TestUnreachable: nobody there passes with time; what the guard refuses, a
// certificate that does not hold and a port that speaks otherwise need a person.
func TestUnreachable(t *testing.T) {
	plainServer := started(t, smtp.Options{})
	tlsServer := started(t, smtp.Options{Security: smtp.TLS})
	gone := started(t, smtp.Options{})
	_ = gone.Close()
	untrusted := against(t, tlsServer, implicitTLS, "")
	untrusted.m.roots = nil
	guarded := against(t, plainServer, noTLS, "")
	guarded.m.world.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.Join(ssrf.ErrProhibitedIP, errors.New("allow it with --allow-outbound"))
	}
	for name, row := range map[string]struct {
		p    *play
		want dispatch.OutcomeKind
		says string
	}{
		"refused":              {against(t, gone, noTLS, ""), dispatch.OutcomeDeferred, "connection refused"},
		"guarded":              {guarded, dispatch.OutcomeMisconfigured, "--allow-outbound"},
		"untrusted":            {untrusted, dispatch.OutcomeMisconfigured, "settings.ca"},
		"no STARTTLS":          {against(t, plainServer, startTLS, ""), dispatch.OutcomeMisconfigured, "settings.tls"},
		"no TLS at all":        {against(t, plainServer, implicitTLS, ""), dispatch.OutcomeMisconfigured, "settings.tls"},
		"no login":             {against(t, plainServer, noTLS, loggedIn), dispatch.OutcomeMisconfigured, "settings.auth"},
		"login, but not this":  {against(t, started(t, smtp.Options{Users: users, Mechanisms: []string{"CRAM-MD5"}}), noTLS, loggedIn), dispatch.OutcomeMisconfigured, "CRAM-MD5"},
		"login wanted at MAIL": {against(t, started(t, smtp.Options{Users: users}), noTLS, ""), dispatch.OutcomeMisconfigured, "settings.username"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, row.p.deliver(t.Context(), exam.Parcel(1), to(alice)), row.want, row.says)
			if row.p != guarded && name != "login wanted at MAIL" {
				want(t, row.p.m.Test(t.Context()), row.want, row.says)
			}
		})
	}
	if n := len(plainServer.Messages.All()); n > 0 {
		t.Errorf("%d messages went out in clear text", n)
	}
}

// TestOneRefused: an address that is refused keeps the message from nobody
// else, and is told of in the record and on the notifications page.
func TestOneRefused(t *testing.T) {
	s, p := relay(t)
	s.Play(smtp.Step{Phase: smtp.Rcpt, To: bob, Code: 550, Enhanced: "5.1.1", Text: "no such user", Times: -1})
	out := p.deliver(t.Context(), exam.Parcel(1), to(alice, bob, "not an address", carol))
	want(t, out, dispatch.OutcomeDelivered)
	if got := mailed(s); !slices.Equal(got, []string{alice, carol}) {
		t.Errorf("got %v", got)
	}
	for _, line := range []string{alice + ": 250 ", bob + ": 127.0.0.1 answered 550 5.1.1 no such user", "not an address: settings.to.2 is not an email address", carol + ": 250 "} {
		if !strings.Contains(out.Exchange().Response, line) {
			t.Errorf("the record %q lacks %q", out.Exchange().Response, line)
		}
	}
	if len(p.notices) != 1 || !strings.Contains(p.notices[0].Message, bob) || strings.Contains(p.notices[0].Message, alice) || *p.notices[0].DeliveryID != exam.Parcel(1).DeliveryID {
		t.Errorf("notices %+v", p.notices)
	}
	test := exam.Parcel(2)
	test.Test = true
	want(t, p.deliver(t.Context(), test, to(alice, bob)), dispatch.OutcomeRefused, "1 of 2 recipients have it", bob)
}

// TestCopyIsNotEnough: when nobody it is addressed to has it, it has failed,
// whoever has a copy; a person's retry does not repeat the copy.
func TestCopyIsNotEnough(t *testing.T) {
	s, p := relay(t)
	config := `{"to": ["` + alice + `"], "cc": ["` + bob + `"], "bcc": ["` + carol + `", "` + strings.ToUpper(alice) + `"]}`
	s.Play(smtp.Step{Phase: smtp.Rcpt, To: alice, Code: 550})
	want(t, p.deliver(t.Context(), exam.Parcel(1), config), dispatch.OutcomeRefused, "2 of 3 recipients have it", alice)
	want(t, p.deliver(t.Context(), exam.Parcel(1), config), dispatch.OutcomeDelivered)
	if got := mailed(s); !slices.Equal(got, []string{bob, carol, alice}) {
		t.Errorf("got %v", got)
	}
	for _, m := range s.Messages.All() {
		if strings.Contains(string(m.Raw), carol) || m.Header.Get("Bcc") != "" {
			t.Errorf("%v shows the hidden copy", m.To)
		}
	}
}

// TestRetryGoesToTheOthers: who has it is not sent it again, over as many
// attempts as it takes, and a repeat has the Message-ID of the first.
func TestRetryGoesToTheOthers(t *testing.T) {
	s, p := relay(t)
	s.Play(
		smtp.Step{Phase: smtp.Rcpt, To: bob, Code: 451, Text: "greylisted"},
		smtp.Step{Phase: smtp.Data}, // alice's
		smtp.Step{Phase: smtp.Data, Apply: true, Code: 451},
	)
	config := to(alice, bob, carol)
	out := p.deliver(t.Context(), exam.Parcel(1), config)
	want(t, out, dispatch.OutcomeDeferred, "1 of 3 recipients have it", bob+": 127.0.0.1 answered 451 4.0.0 greylisted", carol)
	if out.Wait() != 0 {
		t.Errorf("waits %v, though the kind's patience decides", out.Wait())
	}
	again := exam.Parcel(1)
	again.Attempt = 2
	out = p.deliver(t.Context(), again, config)
	want(t, out, dispatch.OutcomeDelivered)
	if !strings.Contains(out.Exchange().Response, "at an earlier attempt") {
		t.Errorf("the record %q", out.Exchange().Response)
	}
	if got := mailed(s); !slices.Equal(got, []string{alice, carol, bob, carol}) {
		t.Fatalf("got %v", got)
	}
	all := s.Messages.All()
	id := func(i int) string { return all[i].Header.Get("Message-Id") }
	if id(1) == "" || id(1) != id(3) || id(0) == id(1) || id(0) == id(2) {
		t.Errorf("ids %s, %s, %s, %s", id(0), id(1), id(2), id(3))
	}
	want(t, p.deliver(t.Context(), exam.Parcel(2), to(alice)), dispatch.OutcomeDelivered)
	if other := s.Messages.All()[4].Header.Get("Message-Id"); other == id(0) {
		t.Error("another delivery has the same Message-ID")
	}
}

// TestGoesOnOverAnotherConnection: a server that ends the connection after each
// message, or after one that it lost, keeps it from nobody.
func TestGoesOnOverAnotherConnection(t *testing.T) {
	s, p := relay(t)
	s.Play(smtp.Step{Phase: smtp.Data, DropAfter: true, Times: -1})
	want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice, bob, carol)), dispatch.OutcomeDelivered)
	s.Behave()
	s.Play(smtp.Step{Phase: smtp.Data, Drop: true})
	want(t, p.deliver(t.Context(), exam.Parcel(2), to(alice, bob, carol)), dispatch.OutcomeUncertain, "2 of 3 recipients have it", alice+": ")
	want(t, p.deliver(t.Context(), exam.Parcel(2), to(alice, bob, carol)), dispatch.OutcomeDelivered)
	s.Play(smtp.Step{Phase: smtp.Rcpt, To: bob, Code: 421})
	want(t, p.deliver(t.Context(), exam.Parcel(3), to(alice, bob)), dispatch.OutcomeDelivered)
	if got := mailed(s); !slices.Equal(got, []string{alice, bob, carol, bob, carol, alice, alice, bob}) {
		t.Errorf("got %v", got)
	}
}

// TestFullMailbox is tried some times more, then refused.
func TestFullMailbox(t *testing.T) {
	s, p := relay(t)
	s.Play(smtp.Step{Phase: smtp.Rcpt, Code: 552, Enhanced: "5.2.2", Times: -1})
	last := exam.Parcel(1)
	last.Attempt = fullTries
	want(t, p.deliver(t.Context(), last, to(alice)), dispatch.OutcomeRefused, "552 5.2.2")
}

// TestDoubt: the API config says what becomes of a lost answer.
func TestDoubt(t *testing.T) {
	if Kind().Idempotent {
		t.Error("a repeat may be seen twice")
	}
	for choice, want := range map[string]dispatch.UncertainPolicy{to(alice): dispatch.Resend, `{"to": ["a@example.com"], "onUncertain": "PARK"}`: dispatch.Park} {
		filled, problems := dispatch.Fill(Kind().ConfigSettings, dispatch.JSON(choice), nil)
		if got := filled.(dispatch.Doubter).OnUncertain(); problems != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", choice, got, want, problems)
		}
	}
}

// TestMemoryIsBounded: the oldest is forgotten first, and what is finished at once.
func TestMemoryIsBounded(t *testing.T) {
	var m memory
	have := []*recipient{{address: alice, verdict: verdict{kind: dispatch.OutcomeDelivered}}, {address: bob}}
	for i := range maxRemembered + 1 {
		m.keep(exam.Parcel(i).DeliveryID, have, false)
	}
	knows := func(n int) bool {
		r := &recipient{address: strings.ToUpper(alice)}
		m.recall(exam.Parcel(n).DeliveryID, []*recipient{r})
		return r.verdict.kind == dispatch.OutcomeDelivered
	}
	if knows(0) || !knows(1) || !knows(maxRemembered) || len(m.byID) != maxRemembered {
		t.Errorf("%d remembered", len(m.byID))
	}
	if m.keep(exam.Parcel(1).DeliveryID, have, true); knows(1) {
		t.Error("a finished delivery is remembered")
	}
}
