package email

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice    = "alice@example.com"
	bob      = "bob@example.com"
	carol    = "carol@example.com"
	password = "correct-horse-battery"
)

var users = map[string]string{"tocsin": password}

// play is a messenger, the notifications that it wrote and what it logged.
type play struct {
	t       *testing.T
	m       *messenger
	notices []dispatch.Notification
	logs    bytes.Buffer
}

// open fills settings in over those of a test and opens a messenger on them.
func (p *play) open(settings string, secrets map[string]dispatch.Secret, dial func(context.Context, string, string) (net.Conn, error)) {
	p.t.Helper()
	filled, problems := dispatch.Fill(Kind().Settings, dispatch.JSON(settings), secrets)
	if problems != nil {
		p.t.Fatal(problems)
	}
	opened, err := Kind().Open(filled, dispatch.World{
		Dial: dial, Instance: "exam", Log: slog.New(slog.NewTextHandler(&p.logs, nil)),
		Notify: func(_ context.Context, n dispatch.Notification) error {
			p.notices = append(p.notices, n)
			return nil
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.m = opened.(*messenger)
}

// against opens a messenger for a fake server, whose certificate it trusts.
func against(t *testing.T, s *smtp.Server, mode, more string) *play {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t}
	var secrets map[string]dispatch.Secret
	if strings.Contains(more, "username") {
		secrets = map[string]dispatch.Secret{"password": password}
	}
	var d net.Dialer
	p.open(fmt.Sprintf(`{"host": %q, "port": %s, "tls": %q, "from": "tocsin@example.com"%s}`, host, port, mode, more), secrets, d.DialContext)
	p.m.roots = s.Roots()
	return p
}

const loggedIn = `, "username": "tocsin"`

func started(t *testing.T, o smtp.Options) *smtp.Server {
	t.Helper()
	s, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// relay is a server that asks for STARTTLS and a login, and a messenger for it.
func relay(t *testing.T) (*smtp.Server, *play) {
	t.Helper()
	s := started(t, smtp.Options{Security: smtp.StartTLS, Users: users})
	return s, against(t, s, startTLS, loggedIn)
}

// deliver hands a parcel over as the hub does, and searches what comes back for
// the password.
func (p *play) deliver(ctx context.Context, parcel dispatch.Parcel, config string) dispatch.Outcome {
	p.t.Helper()
	parcel.Settings = rendered(p.t, parcel, config)
	out := p.m.Deliver(ctx, parcel)
	p.search(out)
	return out
}

func (p *play) search(out dispatch.Outcome) {
	p.t.Helper()
	kept, err := json.Marshal(out.Exchange())
	if err != nil || len(out.Exchange().Request) > 32<<10 {
		p.t.Errorf("the record of %d bytes: %v", len(out.Exchange().Request), err)
	}
	if said := fmt.Sprintf("%v %+v %#v %v %s %s %v", out, out, out, out.Err(), kept, p.logs.String(), p.notices); strings.Contains(said, password) {
		p.t.Errorf("the password shows:\n%.2000s", said)
	}
	if (out.Err() == nil) != (out.Kind() == dispatch.OutcomeDelivered) {
		p.t.Errorf("outcome %s with error %v", out.Kind(), out.Err())
	}
}

func rendered(t *testing.T, p dispatch.Parcel, config string) any {
	t.Helper()
	if _, problems := dispatch.Fill(Kind().ConfigSettings, dispatch.JSON(config), nil); problems != nil {
		t.Fatal(problems)
	}
	text, problems := dispatch.RenderSettings(Kind().ConfigSettings, dispatch.JSON(config), p.Alert, p.Ticket, p.TicketURL)
	if problems != nil {
		t.Fatal(problems)
	}
	settings, err := dispatch.Unpack(Kind().ConfigSettings, text)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// to is an API config with recipients and nothing else.
func to(addresses ...string) string {
	text, _ := json.Marshal(map[string][]string{"to": addresses})
	return string(text)
}

func want(t *testing.T, out dispatch.Outcome, kind dispatch.OutcomeKind, says ...string) {
	t.Helper()
	if out.Kind() != kind {
		t.Errorf("outcome %s (%v), want %s", out.Kind(), out.Err(), kind)
	}
	for _, words := range says {
		if out.Err() == nil || !strings.Contains(out.Err().Error(), words) {
			t.Errorf("error %v does not say %q", out.Err(), words)
		}
	}
}

// mailed are the recipients of the messages that a server took, in order.
func mailed(s *smtp.Server) []string {
	var out []string
	for _, m := range s.Messages.All() {
		out = append(out, strings.Join(m.To, "+"))
	}
	return out
}

// TestEverySecurityAndLogin: each mechanism works over each way of TLS, AUTO
// finds one, a wrong password needs a person, and the test of an actor logs in
// and sends nothing.
func TestEverySecurityAndLogin(t *testing.T) {
	for mode, security := range map[string]smtp.Security{startTLS: smtp.StartTLS, implicitTLS: smtp.TLS, noTLS: smtp.Plain} {
		for _, auth := range []string{"AUTO", "PLAIN", "LOGIN", "SCRAM-SHA-256", "XOAUTH2"} {
			s := started(t, smtp.Options{Security: security, Users: users})
			p := against(t, s, mode, loggedIn+`, "auth": "`+auth+`"`)
			out := p.m.Test(t.Context())
			p.search(out)
			want(t, out, dispatch.OutcomeDelivered)
			if n := len(s.Messages.All()); n != 0 || !strings.Contains(out.Exchange().Response, "accepts the login") {
				t.Errorf("%s %s: the test sent %d and said %q", mode, auth, n, out.Exchange().Response)
			}
			want(t, p.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeDelivered)
			if got := s.Messages.All(); len(got) != 1 || got[0].User != "tocsin" || got[0].TLS != (mode != noTLS) {
				t.Errorf("%s %s: got %+v", mode, auth, got)
			}
			wrong := against(t, s, mode, `, "username": "nobody", "auth": "`+auth+`"`)
			want(t, wrong.deliver(t.Context(), exam.Parcel(1), to(alice)), dispatch.OutcomeMisconfigured, "535", "secrets.password")
			want(t, wrong.m.Test(t.Context()), dispatch.OutcomeMisconfigured, "secrets.password")
		}
	}
}

// TestCrowd: two hundred deliveries at once all arrive, over no more than three
// connections at a time.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that a slow machine is no slow mail server
		s, p := piped(t, smtp.Plain, noTLS)
		var open, most atomic.Int32
		dial := p.m.world.Dial
		p.m.world.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if n := open.Add(1); n > most.Load() {
				most.Store(n)
			}
			return &counted{Conn: conn, open: &open}, err
		}
		outs := make([]dispatch.Outcome, 200)
		var all sync.WaitGroup
		for i := range outs {
			parcel := exam.Parcel(i)
			parcel.Settings = rendered(t, parcel, to(fmt.Sprintf("u%d@example.com", i)))
			all.Go(func() { outs[i] = p.m.Deliver(t.Context(), parcel) })
		}
		all.Wait()
		for _, out := range outs {
			want(t, out, dispatch.OutcomeDelivered)
		}
		got := mailed(s)
		slices.Sort(got)
		if n := len(slices.Compact(got)); n != len(outs) || most.Load() > connections {
			t.Errorf("%d of %d arrived over %d connections at once", n, len(outs), most.Load())
		}
	})
}

type counted struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// TestBusy: who does not get a connection soon comes back later.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := piped(t, smtp.StartTLS, startTLS)
		for range connections {
			p.m.turns <- struct{}{}
		}
		began := time.Now()
		out := p.deliver(t.Context(), exam.Parcel(1), to(alice))
		want(t, out, dispatch.OutcomeDeferred, "others come first")
		if out.Wait() == 0 || time.Since(began) != longest {
			t.Errorf("waits %v after %v", out.Wait(), time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want(t, p.deliver(ctx, exam.Parcel(1), to(alice)), dispatch.OutcomeDeferred, "turn")
	})
}
