package smtp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gosmtp "github.com/emersion/go-smtp"
)

// Phase is a point of the conversation at which a script can step in.
type Phase string

// The phases in their order.
const (
	Connect   Phase = "connect" // instead of the greeting
	Handshake Phase = "tls"     // can hang and drop, but not answer
	Hello     Phase = "ehlo"
	Auth      Phase = "auth" // after the client has shown who he is, in place of the verdict
	Mail      Phase = "mail"
	Rcpt      Phase = "rcpt"
	Data      Phase = "data" // after 354, in place of the final answer
)

// Step is one scripted failure. Its JSON form is what a script file holds.
//
// With Apply, which is for Data only, the message is taken first. Then, with Hang, the connection is silent until Release;
// with Drop it ends there; with Code that is the answer, after 421 the connection ends; with DropAfter it ends after the
// answer. So Apply with Drop in Data is a message taken whose 250 is lost, and DropAfter alone is a connection lost after
// the 250.
type Step struct {
	Phase     Phase  `json:"phase"`
	To        string `json:"to,omitempty"`    // for Rcpt and Mail: only this address; empty: any
	Times     int    `json:"times,omitempty"` // how many commands it is for; 0 is one, below 0 all of them
	Apply     bool   `json:"apply,omitempty"`
	Hang      bool   `json:"hang,omitempty"`
	Drop      bool   `json:"drop,omitempty"`
	DropAfter bool   `json:"dropAfter,omitempty"`
	Code      int    `json:"code,omitempty"`     // such as 550
	Enhanced  string `json:"enhanced,omitempty"` // such as 5.1.1; default its class and .0.0
	Text      string `json:"text,omitempty"`
}

// Repeats is how many commands the step is for.
func (s Step) Repeats() int { return s.Times }

// Check tells what is wrong with a step that could never be played, and what to give instead.
func (s Step) Check() error {
	phases := []Phase{Connect, Handshake, Hello, Auth, Mail, Rcpt, Data}
	switch {
	case !slices.Contains(phases, s.Phase):
		return fmt.Errorf("phase: %q is none; give one of %v", s.Phase, phases)
	case s.Code != 0 && (s.Code < 400 || s.Code > 599):
		return fmt.Errorf("code: %d refuses nothing; give 400 to 599", s.Code)
	case s.Code != 0 && s.Phase == Handshake:
		return errors.New("code: is not for tls, which can hang and drop only; leave it out")
	case s.Apply && s.Phase != Data:
		return fmt.Errorf("apply: is for data only, not for %s; leave it out", s.Phase)
	}
	return nil
}

// refusal is the answer of the step; nil when it has none.
func (s Step) refusal() error {
	if s.Code == 0 {
		return nil
	}
	refusal := &gosmtp.SMTPError{Code: s.Code, Message: s.Text}
	e := &refusal.EnhancedCode
	if _, err := fmt.Sscanf(s.Enhanced, "%d.%d.%d", &e[0], &e[1], &e[2]); err != nil {
		*e = gosmtp.EnhancedCode{s.Code / 100, 0, 0}
	}
	if refusal.Message == "" {
		refusal.Message = "refused by script"
	}
	return refusal
}

// errDropped ends a command whose connection is gone; nobody hears it.
var errDropped = errors.New("dropped by script")

// meet records a command and plays the next step for it, all but Apply, which take does.
func (s *Server) meet(c *conn, phase Phase, arg string) error {
	step, opening := s.take(c, phase, arg)
	return s.perform(c, step, opening)
}

// take finds the step and the gate to wait at, and only then tells of the command.
func (s *Server) take(c *conn, phase Phase, arg string) (Step, <-chan struct{}) {
	step := s.script.Take(func(p Step) bool {
		return p.Phase == phase && (p.To == "" || strings.EqualFold(p.To, arg))
	})
	opening := s.gate.Opening()
	s.Commands.Add(Command{c.number, phase, arg})
	return step, opening
}

func (s *Server) perform(c *conn, step Step, opening <-chan struct{}) error {
	if step.Hang {
		select {
		case <-opening:
		case <-s.gone:
			step.Drop = true
		}
	}
	if step.Drop {
		c.drop()
		return errDropped
	}
	if step.DropAfter || step.Code == 421 {
		c.dropAfterWrite()
	}
	return step.refusal()
}
