package smtp

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/xdg-go/scram"
)

// scramKeys is what a server keeps of a password for SCRAM.
type scramKeys = scram.StoredCredentials

const scramIterations = 4096 // the least that RFC 7677 allows

func makeScramKeys(users map[string]string) (map[string]scramKeys, error) {
	keys := map[string]scramKeys{}
	for user, password := range users {
		client, err := scram.SHA256.NewClient(user, password, "")
		if err != nil {
			return nil, fmt.Errorf("prepare the password of %s for SCRAM: %w", user, err)
		}
		keys[user], err = client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: rand.Text(), Iters: scramIterations})
		if err != nil {
			return nil, fmt.Errorf("derive the SCRAM keys of %s: %w", user, err)
		}
	}
	return keys, nil
}

// login is the server's side of a mechanism that was offered.
func (x *session) login(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return x.verdict(user, x.knows(user, password)) }), nil
	case "LOGIN":
		return &loginServer{session: x}, nil
	case "XOAUTH2":
		return &bearerServer{session: x}, nil
	case "SCRAM-SHA-256":
		server, err := scram.SHA256.NewServer(func(user string) (scram.StoredCredentials, error) {
			keys, known := x.server.scramKeys[user]
			if !known {
				return keys, fmt.Errorf("unknown user %s", user)
			}
			return keys, nil
		})
		if err != nil {
			return nil, err
		}
		return &scramServer{session: x, conversation: server.NewConversation()}, nil
	}
	return nil, gosmtp.ErrAuthUnknownMechanism
}

func (x *session) knows(user, password string) bool {
	want, known := x.server.o.Users[user]
	return known && subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
}

// verdict plays the script and, where that is silent, answers whether the client is who he says.
func (x *session) verdict(user string, good bool) error {
	if err := x.server.meet(x.conn, Auth, user); err != nil {
		return err
	}
	if !good {
		return &gosmtp.SMTPError{Code: 535, EnhancedCode: gosmtp.EnhancedCode{5, 7, 8}, Message: "Authentication credentials invalid"}
	}
	x.user = user
	return nil
}

// loginServer asks for the name and the password, one after the other.
type loginServer struct {
	session *session
	asked   bool
	user    *string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case !l.asked && response == nil:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.session.verdict(*l.user, l.session.knows(*l.user, string(response)))
}

// bearerServer is XOAUTH2: the failure is a challenge of JSON that the client must answer before it hears 535.
// Source: Google's and Microsoft's pages on XOAUTH2 for SMTP.
type bearerServer struct {
	session *session
	user    string
	failed  bool
}

func (b *bearerServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if b.failed {
		return nil, true, b.session.verdict(b.user, false)
	}
	if response == nil {
		return []byte{}, false, nil
	}
	fields := map[string]string{}
	for part := range bytes.SplitSeq(response, []byte{1}) {
		name, value, _ := strings.Cut(string(part), "=")
		fields[name] = value
	}
	b.user = fields["user"]
	token, isBearer := strings.CutPrefix(fields["auth"], "Bearer ")
	if !isBearer || !b.session.knows(b.user, token) {
		b.failed = true
		return []byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.example.com/"}`), false, nil
	}
	return nil, true, b.session.verdict(b.user, true)
}

// scramServer gives its own proof as a last challenge, which the client answers with nothing (RFC 4954).
type scramServer struct {
	session      *session
	conversation *scram.ServerConversation
}

func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	c := s.conversation
	if response == nil && c.Username() == "" {
		return []byte{}, false, nil
	}
	if c.Valid() {
		return nil, true, s.session.verdict(c.Username(), true)
	}
	text, err := c.Step(string(response))
	if err != nil {
		return nil, true, s.session.verdict(c.Username(), false)
	}
	return []byte(text), false, nil
}
