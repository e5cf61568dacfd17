package email

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"tocsin/dispatch"
)

// preferred are the mechanisms that AUTO takes, the best first. XOAUTH2 needs a
// token in place of a password, so a person has to ask for it.
var preferred = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN"}

// login shows who we are, where that is wanted.
func (s *session) login(o *Settings) error {
	if o.Auth == authNone || o.Username == "" {
		s.manner += " and is used without a login"
		return nil
	}
	_, text := s.client.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(text))
	wanted := preferred
	if o.Auth != authAuto {
		wanted = []string{o.Auth}
	}
	for _, mechanism := range wanted {
		if slices.Contains(offered, mechanism) {
			s.manner += " and accepts the login with " + mechanism
			return s.client.Auth(s.mechanism(mechanism, o))
		}
	}
	return unfitError{fmt.Sprintf("offers none of the logins %s (it offers %s); change settings.auth, or settings.tls if logins need TLS",
		strings.Join(wanted, ", "), cmp.Or(oneLine(dispatch.Cut(text, maxAnswerShown)), "nothing"))}
}

func (s *session) mechanism(name string, o *Settings) smtp.Auth {
	user, password := o.Username, string(o.Password)
	switch name {
	case "PLAIN":
		return smtp.PlainAuth("", user, password, s.host, false)
	case "LOGIN":
		return smtp.LoginAuth(user, password, s.host, false)
	case "XOAUTH2":
		return smtp.XOAuth2Auth(user, password)
	default:
		return &scram{Auth: smtp.ScramSHA256Auth(user, password)}
	}
}

// unfitError is an answer that is no refusal but that we cannot go on with.
type unfitError struct{ text string }

func (e unfitError) Error() string { return e.text }

// scram holds the server to its side of SCRAM (RFC 5802): it may not make us
// hash for hours, and it must prove that it knows the password, too.
type scram struct {
	smtp.Auth
	proven bool
}

// maxIterations is a second's work at most; servers ask for 4,096 to 600,000.
const maxIterations = 1_000_000

var (
	errIterations = unfitError{"asks for too many rounds of SCRAM; set settings.auth to PLAIN"}
	errUnproven   = unfitError{"accepted the login but did not prove that it knows the password; check settings.host, or set settings.auth to PLAIN"}
)

// Next answers a challenge.
func (a *scram) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		if !a.proven {
			return nil, errUnproven
		}
		return nil, nil
	}
	for part := range strings.SplitSeq(string(challenge), ",") {
		if rounds, ok := strings.CutPrefix(part, "i="); ok {
			if n, err := strconv.Atoi(rounds); err != nil || n < 1 || n > maxIterations {
				return nil, errIterations
			}
		}
	}
	answer, err := a.Auth.Next(challenge, more)
	if err != nil {
		err = unfitError{"answers SCRAM wrongly; check settings.host, or set settings.auth to PLAIN"}
	}
	a.proven = a.proven || err == nil && strings.HasPrefix(string(challenge), "v=")
	return answer, err
}
