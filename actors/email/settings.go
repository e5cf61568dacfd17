package email

import (
	"crypto/x509"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"

	"tocsin/dispatch"
)

// Settings are those of an email actor.
type Settings struct {
	Host     string          `json:"host" title:"Host" doc:"Give the mail server's name, such as smtp.example.com" required:"true" format:"hostname" max:"255"`
	Port     int             `json:"port" title:"Port" doc:"Left out, 587 for STARTTLS, 465 for IMPLICIT, 25 for NONE" min:"1" max:"65535" address:"true"`
	TLS      string          `json:"tls" title:"TLS" doc:"Give STARTTLS, IMPLICIT (TLS from the first byte) or NONE (clear text, for a relay on your own network)" required:"true" enum:"STARTTLS,IMPLICIT,NONE" address:"true"`
	CA       string          `json:"ca" title:"Certificate authority" doc:"Certificates in PEM that are trusted besides the system's, for a server with a certificate of your own" address:"true"`
	Username string          `json:"username" title:"User name" doc:"Left out, the server is used without a login" max:"500"`
	Password dispatch.Secret `json:"password" title:"Password" doc:"The password, an app password, or for XOAUTH2 an access token" secret:"true"`
	Auth     string          `json:"auth" title:"Login" doc:"Give AUTO (the best that the server offers), one mechanism, or NONE" required:"true" enum:"AUTO,PLAIN,LOGIN,SCRAM-SHA-256,XOAUTH2,NONE"`
	From     string          `json:"from" title:"From" doc:"Give the address that mail comes from; bounces go there" required:"true" format:"email" max:"320"`
	FromName string          `json:"fromName" title:"Sender's name" doc:"The name beside the address that mail comes from" max:"100"`
	ReplyTo  string          `json:"replyTo" title:"Reply to" doc:"The address that answers go to, if it is another one" format:"email" max:"320"`
	Helo     string          `json:"helo" title:"Name in EHLO" doc:"This server's full name, for mail servers that insist on one" max:"255"`

	DKIMDomain   string          `json:"dkimDomain" title:"DKIM domain" doc:"The domain that messages are signed for; left out, that of the sender's address" max:"70"`
	DKIMSelector string          `json:"dkimSelector" title:"DKIM selector" doc:"The name before ._domainkey in DNS, where the public key is" max:"70"`
	DKIMKey      dispatch.Secret `json:"dkimKey" title:"DKIM key" doc:"The private key in PEM, RSA or Ed25519; left out, nothing is signed here" secret:"true" max:"16384"`
}

// The values of tls and of auth that the code names.
const (
	startTLS    = "STARTTLS"
	implicitTLS = "IMPLICIT"
	noTLS       = "NONE"

	authAuto = "AUTO"
	authNone = "NONE"
)

// ConfigSettings are those of an email API config.
type ConfigSettings struct {
	To        []string                 `json:"to" title:"To" doc:"Give the addresses of those who must hear of it, each on its own, such as soc@example.com" required:"true" max:"50"`
	Cc        []string                 `json:"cc" title:"Cc" doc:"Addresses that get a copy" max:"50"`
	Bcc       []string                 `json:"bcc" title:"Bcc" doc:"Addresses that get a copy which the others do not see" max:"50"`
	Subject   string                   `json:"subject" title:"Subject" doc:"Left out, the ticket's number, the severity and what happened" template:"true"`
	Text      string                   `json:"text" title:"Text" doc:"Left out, the facts of the alert and the links to it" template:"true"`
	HTML      string                   `json:"html" title:"HTML" doc:"Left out, the facts of the alert as HTML, or none when a text is given" template:"html"`
	Uncertain dispatch.UncertainPolicy `json:"onUncertain" title:"When the answer is lost" doc:"Give RESEND (a message may come twice) or PARK (it fails, and a person decides)" required:"true" enum:"RESEND,PARK"`
	Updates   string                   `json:"updates" title:"Status of the ticket" doc:"Give ALWAYS (each new status goes out in the thread), CLOSED (only that the ticket was closed) or NEVER" required:"true" enum:"NEVER,CLOSED,ALWAYS"`
}

// OnUncertain is the user's choice.
func (s *ConfigSettings) OnUncertain() dispatch.UncertainPolicy { return s.Uncertain }

var (
	hostForm = regexp.MustCompile(`^[^\s/@:\[\]\x00-\x1f\x7f]+$`)
	heloForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\])$`) // RFC 5321, 4.1.2 and 4.1.3
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	if _, err := netip.ParseAddr(strings.Trim(s.Host, "[]")); err != nil && !hostForm.MatchString(s.Host) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.host", "is not a host name; give one such as smtp.example.com, and the port in settings.port")
	}
	if s.Helo != "" && !heloForm.MatchString(s.Helo) {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.helo", "is not a host name or an address in brackets; give one such as tocsin.example.com")
	}
	return s.checkLogin()
}

func (s *Settings) checkLogin() error {
	switch password := string(s.Password); {
	case s.Auth == authNone:
		return nil
	case s.Username == "" && (password != "" || s.Auth != authAuto):
		return dispatch.Refuse(dispatch.CodeRequired, "settings.username", "is missing; give it, or set settings.auth to NONE")
	case s.Username != "" && password == "":
		return dispatch.Refuse(dispatch.CodeRequired, "secrets.password", "is missing; give it, or set settings.auth to NONE")
	case strings.ContainsFunc(s.Username, control):
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.username", "holds line breaks or other control characters; take them out")
	case strings.ContainsFunc(password, control):
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.password", "holds line breaks or other control characters; copy it again")
	case s.Username != "" && s.TLS == noTLS && !s.onThisMachine():
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.tls", "is NONE, so everybody on the way could read the password; choose STARTTLS or IMPLICIT")
	default:
		return nil
	}
}

// onThisMachine tells whether a login needs no TLS, because it stays here.
func (s *Settings) onThisMachine() bool {
	return s.Host == "localhost" || s.Host == "127.0.0.1" || s.Host == "::1"
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// address reads one address, with or without a name.
func address(field, text string) (*mail.Address, error) {
	found, err := mail.ParseAddress(text)
	if err != nil || strings.ContainsFunc(found.Address, control) {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, field, "is not an email address; give one such as soc@example.com")
	}
	return found, nil
}

// roots are the authorities that are trusted; nil, the system's, without any of
// our own.
func roots(ca string) (*x509.CertPool, error) {
	if strings.TrimSpace(ca) == "" {
		return nil, nil //nolint:nilnil // crypto/tls takes nil for the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "settings.ca", "holds no certificate; give one in PEM, from BEGIN CERTIFICATE to END CERTIFICATE")
	}
	return pool, nil
}
