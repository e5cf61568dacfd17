package email

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"tocsin/dispatch"
)

// verdict is what became of the message to one recipient, or of a connection.
type verdict struct {
	kind  dispatch.OutcomeKind // "" while nothing is known
	text  string               // what the server said, and a remedy
	again bool                 // the connection is to blame: another one may do better
	full  bool                 // the mailbox is full
	known bool                 // from an earlier attempt
}

func (v verdict) outcome(text string) dispatch.Outcome {
	err := errors.New(dispatch.Cut(text, maxError))
	switch v.kind {
	case dispatch.OutcomeRefused:
		return dispatch.Refused(err)
	case dispatch.OutcomeMisconfigured:
		return dispatch.Misconfigured(err)
	case dispatch.OutcomeUncertain:
		return dispatch.Unsure(err)
	default:
		return dispatch.Deferred(err)
	}
}

// Limits of texts, in bytes.
const (
	maxError       = 1000
	maxAnswerShown = 300
)

// stage is how far the conversation has come.
type stage int

const (
	atGreeting stage = iota
	atHello
	atTLS
	atLogin
	atSender
	atRecipient
	atMessage // DATA, before the last line was sent
	atEnd     // the last line was sent
)

var stages = map[stage]string{
	atGreeting: "its greeting", atHello: "the answer to EHLO", atTLS: "TLS", atLogin: "the login",
	atSender: "the answer to MAIL", atRecipient: "the answer to RCPT", atMessage: "DATA", atEnd: "the answer to the message",
}

// remedies are for what a server refuses for good to whoever we are.
var remedies = map[stage]string{
	atGreeting: "it takes no mail from this server; check settings.host, or ask who runs it",
	atHello:    "set settings.helo to this server's full name, or ask who runs the mail server",
	atTLS:      "check settings.tls and settings.port",
	atLogin:    "the login is not accepted; check settings.username and secrets.password",
	atSender:   "it takes no mail from this sender; check settings.from, and whether the login may send as it",
}

// judge is the verdict on a failure at a stage.
func (s *session) judge(at stage, err error) verdict {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return s.answered(at, answer)
	}
	s.over = true
	if at == atEnd {
		return verdict{kind: dispatch.OutcomeUncertain, text: s.host + ": the message was sent, but the answer was lost: " + s.reason(at, err)}
	}
	if remedy := s.unfit(at, err); remedy != "" {
		return verdict{kind: dispatch.OutcomeMisconfigured, text: s.host + " " + remedy}
	}
	return verdict{kind: dispatch.OutcomeDeferred, text: s.host + ": " + s.reason(at, err), again: true}
}

// answered is the verdict on a server's answer: 4xx passes, 5xx stays. Who is
// refused before the first recipient is us, so that a person has to act.
func (s *session) answered(at stage, answer *textproto.Error) verdict {
	text := fmt.Sprintf("%s answered %d %s", s.host, answer.Code, oneLine(dispatch.Cut(answer.Msg, maxAnswerShown)))
	v := verdict{kind: dispatch.OutcomeDeferred, text: text}
	switch {
	case answer.Code == 421: // it closes the connection
		s.over, v.again = true, true
	case answer.Code/100 == 4:
	case answer.Code/100 == 5 && at <= atSender && !wantsLogin(answer.Code):
		v.kind, v.text = dispatch.OutcomeMisconfigured, text+": "+remedies[at]
	case answer.Code/100 == 5 && wantsLogin(answer.Code):
		v.kind, v.text = dispatch.OutcomeMisconfigured, text+": "+remedies[atLogin]
	case answer.Code/100 == 5:
		v.kind, v.full = dispatch.OutcomeRefused, full(at, answer)
	case at == atEnd && answer.Code/100 == 2:
		v.kind = dispatch.OutcomeDelivered
	case at == atEnd:
		v.kind = dispatch.OutcomeUncertain
	default:
		s.over, v.again = true, true // no answer that SMTP knows here
	}
	return v
}

// wantsLogin are the codes of RFC 4954, section 6, whenever they come.
func wantsLogin(code int) bool { return code == 530 || code == 534 || code == 535 || code == 538 }

// full tells a mailbox without room from one that does not exist. Source: RFC
// 3463, X.2.2; RFC 5321, 4.2.2, for servers without enhanced codes.
func full(at stage, answer *textproto.Error) bool {
	return strings.HasPrefix(answer.Msg, "5.2.2") || answer.Code == 552 && at == atRecipient && !strings.HasPrefix(answer.Msg, "5.")
}

// unfit is what is wrong with the settings; "" when it is the network's fault.
func (s *session) unfit(at stage, err error) string {
	var (
		certificate *tls.CertificateVerificationError
		noTLSThere  tls.RecordHeaderError
		alert       tls.AlertError
		unfit       unfitError
		noSMTP      textproto.ProtocolError
	)
	switch {
	case errors.As(err, &certificate):
		return "has a certificate that is not trusted: " + oneLine(certificate.Err.Error()) + "; give its authority in settings.ca, or check settings.host"
	case errors.As(err, &noTLSThere):
		return "does not speak TLS from the first byte on this port; set settings.tls to STARTTLS, or settings.port to 465"
	case errors.As(err, &alert):
		return "does not agree on TLS: " + oneLine(alert.Error()) + "; it needs at least version 1.2"
	case errors.Is(err, errNoTLS):
		return errNoTLS.Error()
	case errors.As(err, &unfit):
		return unfit.text
	case errors.Is(err, smtp.ErrUnencrypted):
		return "would get the password in clear text; set settings.tls to STARTTLS or IMPLICIT"
	case errors.As(err, &noSMTP) && at <= atHello:
		return "does not speak SMTP on this port; check settings.host and settings.port"
	default:
		return ""
	}
}

// reason says why a conversation broke off.
func (s *session) reason(at stage, err error) string {
	switch {
	case s.ctx.Err() != nil && at == atGreeting && s.tls != implicitTLS:
		return "no greeting in the time given; a server that speaks TLS from the first byte needs settings.tls IMPLICIT"
	case s.ctx.Err() != nil:
		return "the time given ended while waiting for " + stages[at]
	default:
		return "the connection broke while waiting for " + stages[at] + ": " + oneLine(dispatch.Cut(err.Error(), maxAnswerShown))
	}
}
