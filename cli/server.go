package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Server is where the server is and how it knows the caller; the flags that
// all commands have. The token itself is never a flag: other users of the
// machine can read command lines.
type Server struct {
	URL       string `name:"server" help:"Base address of the server." default:"http://127.0.0.1:8080" env:"TOCSIN_SERVER"`
	TokenFile string `help:"File that holds the API token; without it the token is taken from TOCSIN_TOKEN." env:"TOCSIN_TOKEN_FILE" placeholder:"FILE"`
}

// client makes a client whose token needs the scope; it calls nobody.
func (s Server) client(scope string) (*client, error) {
	base, err := url.Parse(s.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, exit{codeUsage, "--server: is not an address; give one such as https://tocsin.example.org"}
	}
	if base.User != nil {
		return nil, exit{codeUsage, "--server: holds a password; leave it out, the token says who you are"}
	}
	token, err := s.token()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute,
	}
	return &client{endpoint: base.JoinPath("graphql").String(), token: token, scope: scope, http: &http.Client{
		Transport: transport,
		// A redirect would send the token on to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// token reads the token. No error repeats it.
func (s Server) token() (string, error) {
	from, text := "TOCSIN_TOKEN", os.Getenv("TOCSIN_TOKEN")
	if s.TokenFile != "" {
		held, err := os.ReadFile(s.TokenFile)
		if err != nil {
			return "", exit{codeUsage, fmt.Sprintf("--token-file: %v", err)}
		}
		from, text = "--token-file", string(held)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "", exit{codeUsage, "no token; set TOCSIN_TOKEN, or name a file with --token-file; tocsin token create makes one"}
	}
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "", exit{codeUsage, from + ": holds more than a token; give the text of one token alone"}
		}
	}
	return text, nil
}
