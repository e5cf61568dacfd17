package email

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"regexp"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"tocsin/dispatch"
)

// seal is what messages are signed with (DKIM).
type seal struct {
	domain, selector string
	key              crypto.Signer
}

// sealed are the headers that a signature holds: those of RFC 6376, 5.4.1, that
// a message of ours may have. One that a message lacks cannot be put in
// afterwards. There is no room for more: go-mail 0.8.1 breaks a tag that is
// longer than a line into two, and then signs another text than it writes.
var sealed = []string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "References", "Content-Type"}

var (
	domainForm   = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	selectorForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)
)

// maxSealed is how long a domain or a selector may be, for the same reason as
// the list of headers.
const maxSealed = 70

// minRSA is the least that receivers accept, in bits (RFC 8301, 3.2).
const minRSA = 1024

// seal checks the settings of DKIM; nil without a key.
func (s *Settings) seal(from string) (*seal, error) {
	if s.DKIMKey == "" {
		if s.DKIMDomain != "" || s.DKIMSelector != "" {
			return nil, dispatch.Refuse(dispatch.CodeRequired, "secrets.dkimKey", "is missing; give it, or take out settings.dkimDomain and settings.dkimSelector")
		}
		return nil, nil //nolint:nilnil // without a key nothing is signed
	}
	domain := cmp.Or(s.DKIMDomain, from[strings.LastIndex(from, "@")+1:])
	if len(domain) > maxSealed || !domainForm.MatchString(domain) {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "settings.dkimDomain", "is not a domain of at most 70 characters; give one such as example.com")
	}
	if s.DKIMSelector == "" {
		return nil, dispatch.Refuse(dispatch.CodeRequired, "settings.dkimSelector", "is missing; give the name before ._domainkey in DNS")
	}
	if !selectorForm.MatchString(s.DKIMSelector) {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "settings.dkimSelector", "is not a selector; give the name before ._domainkey in DNS, such as tocsin")
	}
	key, err := gomail.PrivKeyFromPEM([]byte(s.DKIMKey))
	if err != nil { // which may repeat the key
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "secrets.dkimKey", "is no RSA or Ed25519 private key without a passphrase; give it in PEM, from BEGIN to END")
	}
	if private, ok := key.(*rsa.PrivateKey); ok && private.N.BitLen() < minRSA {
		return nil, dispatch.Refuse(dispatch.CodeInvalid, "secrets.dkimKey", "is shorter than 1024 bits, and receivers ignore it; make one of 2048")
	}
	return &seal{domain, s.DKIMSelector, key}, nil
}

// on has a message signed when it is written. The library's signer notes things
// down while it signs, so that each message has its own.
func (s *seal) on(m *gomail.Msg) {
	if s == nil {
		return
	}
	signer := gomail.NewDKIMSigner(s.domain, s.selector, s.key)
	signer.SignHeaders(sealed...)
	m.SetDKIM(signer)
}
