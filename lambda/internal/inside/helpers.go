package inside

import (
	"crypto/md5"  //nolint:gosec // analysts look files up by it
	"crypto/sha1" //nolint:gosec // analysts look files up by it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const (
	maxLogs    = 100
	maxLogLine = 1_000 // characters
)

// host is what a lambda can reach outside of its machine: pure functions, and
// the log. Complaint is what the prelude found wrong with the lambda.
type host struct {
	logs      []string
	complaint string
}

// call is the only function of ours that the machine knows; the prelude takes
// it out of the globals.
func (h *host) call(args []any) (any, error) {
	words := make([]string, 0, len(args))
	for _, arg := range args {
		word, ok := arg.(string)
		if !ok {
			return nil, fmt.Errorf("an argument is not a text, but %s", described(arg))
		}
		words = append(words, word)
	}
	switch {
	case len(words) == 2 && words[0] == "log":
		h.log(words[1])
		return nil, nil //nolint:nilnil // null is what log gives
	case len(words) == 2 && words[0] == "complain":
		h.complaint = words[1]
		return nil, errors.New(words[1])
	case len(words) == 2 && words[0] == "encode":
		return base64.StdEncoding.EncodeToString([]byte(words[1])), nil
	case len(words) == 2 && words[0] == "decode":
		return decoded(words[1])
	case len(words) == 2 && words[0] == "url":
		return parsedURL(words[1])
	case len(words) == 3 && words[0] == "cidr":
		return inRange(words[1], words[2])
	case len(words) == 3 && words[0] == "hash":
		return hashed(words[1], words[2])
	}
	return nil, errors.New("there is no such function")
}

func described(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case int, int64, float64:
		return "a number"
	}
	return "something else; write String(…) around it"
}

// log keeps one line; those over the limit are counted by one more that says so.
func (h *host) log(line string) {
	switch {
	case len(h.logs) > maxLogs:
	case len(h.logs) == maxLogs:
		h.logs = append(h.logs, "… more lines are left out")
	default:
		if r := []rune(line); len(r) > maxLogLine {
			line = string(r[:maxLogLine]) + "…"
		}
		h.logs = append(h.logs, line)
	}
}

// inRange is false for what is no address: an attribute may hold a host's name.
func inRange(ip, cidr string) (any, error) {
	within, err := netip.ParsePrefix(strings.TrimSpace(cidr))
	if err != nil {
		return nil, fmt.Errorf("%.50q is not a range of addresses, such as 10.0.0.0/8", cidr)
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(ip))
	if err != nil {
		return false, nil //nolint:nilerr // see above
	}
	return within.Contains(addr.Unmap().WithZone("")), nil
}

func hashed(text, algorithm string) (any, error) {
	var sum []byte
	switch algorithm {
	case "sha256":
		s := sha256.Sum256([]byte(text))
		sum = s[:]
	case "sha1":
		s := sha1.Sum([]byte(text)) //nolint:gosec // analysts look files up by it
		sum = s[:]
	case "md5":
		s := md5.Sum([]byte(text)) //nolint:gosec // analysts look files up by it
		sum = s[:]
	default:
		return nil, fmt.Errorf("there is no hash %.20q; there are sha256, sha1 and md5", algorithm)
	}
	return hex.EncodeToString(sum), nil
}

// decoded takes base64 of both alphabets, padded or not.
func decoded(text string) (any, error) {
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(text), "=")
	out, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return nil, fmt.Errorf("%.50q is not base64", text)
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), nil
}

// parsedURL is the address's parts as JSON, or null for what is none.
func parsedURL(text string) (any, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "null", nil //nolint:nilerr // it tells what is an address and what is not
	}
	query := map[string]string{}
	for key, values := range u.Query() {
		query[key] = values[0]
	}
	out, err := json.Marshal(map[string]any{
		"scheme": u.Scheme, "host": strings.ToLower(u.Hostname()), "port": u.Port(), "path": u.Path, "query": query, "fragment": u.Fragment,
	})
	return string(out), err
}
