package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/dispatch"
)

// audit is one of the audits that the package graphql-http makes of a server,
// by its name there.
type audit struct {
	name, accept string
	contentType  string // "" sends none
	body         string // "" sends none
	get          string // the query of an address instead of a body
	from, to     int    // the status
	media        string // "" is any
	executed     bool   // the answer has data and no errors
	noData       bool   // the answer has no member data
}

const typename = `{"query":"{ __typename }"}`

// audits are all 61, from https://github.com/graphql/graphql-http (1.23.1).
func audits() []audit {
	out := []audit{
		{name: "22EB takes application/graphql-response+json and answers with it", accept: mediaGraphQL, body: typename, media: mediaGraphQL},
		{name: "4655 takes application/json and answers with it", accept: mediaJSON, body: typename, media: mediaJSON},
		{name: "47DE takes */* and answers with application/json", accept: "*/*", body: typename, media: mediaJSON},
		{name: "80D8 assumes application/json without accept", body: typename, media: mediaJSON},
		{name: "82A3 answers in UTF-8", body: typename},
		{name: "BF61 takes UTF-8", contentType: "application/json; charset=utf-8", body: `{"query":"{ __type(name: \"Run🏃Swim🏊\") { name } }"}`},
		{name: "78D5 assumes UTF-8", body: typename},
		{name: "2C94 takes POST", body: typename},
		{name: "5A70 takes GET", get: "query={ __typename }"},
		{name: "9C48 takes no mutation by GET", accept: mediaGraphQL, get: "query=mutation { __typename }", from: 400, to: 499},
		{name: "9ABE refuses a body without a content type", contentType: "none", body: typename, from: 400, to: 499},
		{name: "03D4 takes a body of application/json", body: typename},
		{name: "A5BF refuses a missing body", from: 400},
		{name: "423L refuses a missing query", accept: mediaGraphQL, body: `{"notquery":"{ __typename }"}`, from: 400},
		{name: "34A2 takes a query", accept: mediaGraphQL, body: typename},
		{name: "13EE takes a query", accept: mediaJSON, body: typename, executed: true},
		{name: "8161 takes an operation's name", accept: mediaGraphQL, body: `{"operationName":"Query","query":"query Query { __typename }"}`},
		{name: "B8B3 takes an operation's name", accept: mediaJSON, body: `{"operationName":"Query","query":"query Query { __typename }"}`, executed: true},
		{name: "2EA1 takes variables", accept: mediaGraphQL, body: typeOf},
		{name: "28B9 takes variables", accept: mediaJSON, body: typeOf, executed: true},
		{name: "D6D5 takes variables in an address", accept: mediaGraphQL, get: typeOfURL, executed: true},
		{name: "6A70 takes variables in an address", accept: mediaJSON, get: typeOfURL, executed: true},
		{name: "428F takes extensions", accept: mediaGraphQL, body: `{"query":"{ __typename }","extensions":{"some":"value"}}`},
		{name: "1B7A takes extensions", accept: mediaJSON, body: `{"query":"{ __typename }","extensions":{"some":"value"}}`, executed: true},
		{name: "B6DC answers broken JSON with some status", accept: mediaJSON, body: `{ "not a JSON`, from: 200, to: 599},
		{name: "BCF8 refuses broken JSON", accept: mediaJSON, body: `{ "not a JSON`, from: 400},
		{name: "B7N8 refuses broken JSON", accept: mediaGraphQL, body: `{ "not a JSON`, from: 400},
		{name: "8764 refuses parameters that are none", body: `{"qeury":"{ __typename }"}`, from: 400, to: 599},
		{name: "3E3A refuses parameters that are none", body: `{"qeury":"{ __typename }"}`, from: 400},
		{name: "572B answers 200 to a document that cannot be read", accept: mediaJSON, body: `{"query":"{"}`},
		{name: "FDE2 answers 200 to a document that is not valid", accept: mediaJSON, body: notValid},
		{name: "7B9B answers 200 to variables of another type", accept: mediaJSON, body: nullID},
		{name: "865D refuses a document that cannot be read", accept: mediaGraphQL, body: `{"query":"{"}`, from: 400, to: 599},
		{name: "556A refuses it with 400", accept: mediaGraphQL, body: `{"query":"{"}`, from: 400},
		{name: "D586 refuses it without data", accept: mediaGraphQL, body: `{"query":"{"}`, from: 400, noData: true},
		{name: "51FE refuses a document that is not valid", accept: mediaGraphQL, body: notValid, from: 400, to: 599},
		{name: "74FF refuses it with 400", accept: mediaGraphQL, body: notValid, from: 400},
		{name: "5E5B refuses it without data", accept: mediaGraphQL, body: notValid, from: 400, noData: true},
		{name: "86EE refuses variables of another type", accept: mediaGraphQL, body: nullID, from: 400},
	}
	for i, name := range []string{"variables", "operationName", "extensions"} {
		body := fmt.Sprintf(`{"query":"{ __typename }",%q:null}`, name)
		out = append(
			out,
			audit{name: fmt.Sprintf("94B%d takes null for %s", i, name), accept: mediaGraphQL, body: body, executed: true},
			audit{name: fmt.Sprintf("022%d takes null for %s", i, name), accept: mediaJSON, body: body, executed: true},
		)
	}
	for i, value := range []string{`{"an":"object"}`, `0`, `false`, `["array"]`} {
		text := value
		if i == 0 {
			text = `"string"`
		}
		for prefix, body := range map[string]string{
			"LKJ": `{"query":` + value + `}`,
			"6C0": `{"query":"{ __typename }","operationName":` + value + `}`,
			"476": `{"query":"{ __typename }","variables":` + text + `}`,
			"58B": `{"query":"{ __typename }","extensions":` + text + `}`,
		} {
			out = append(out, audit{name: fmt.Sprintf("%s%d refuses %s", prefix, i, body), body: body, from: 400})
		}
	}
	return out
}

const (
	notValid  = `{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}`
	nullID    = `{"query":"query CoerceFailure($id: ID!){ __typename }","variables":{"id":null}}`
	typeOf    = `{"query":"query Type($name: String!) { __type(name: $name) { name } }","variables":{"name":"sometype"}}`
	typeOfURL = `query=query Type($name: String!) { __type(name: $name) { name } }&variables={"name":"sometype"}`
)

func TestAudits(t *testing.T) {
	s := newStage(t)
	all := audits()
	if len(all) != 61 {
		t.Fatalf("%d audits, want 61", len(all))
	}
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) {
			response, body := s.do(a.request(s))
			if a.from == 0 {
				a.from = http.StatusOK
			}
			if status := response.StatusCode; status < a.from || status > max(a.from, a.to) {
				t.Errorf("status %d, want %d to %d", status, a.from, max(a.from, a.to))
			}
			a.check(t, response.Header.Get("Content-Type"), body)
		})
	}
}

func (a audit) request(s *stage) *http.Request {
	s.t.Helper()
	headers := []string{"Authorization: Bearer " + s.tokens[dispatch.ScopeRead]}
	if a.accept != "" {
		headers = append(headers, "Accept: "+a.accept)
	}
	if a.get != "" {
		query, err := url.ParseQuery(a.get)
		s.must(err)
		return s.request(http.MethodGet, "/graphql?"+query.Encode(), "", headers...)
	}
	switch a.contentType {
	case "":
		headers = append(headers, "Content-Type: application/json")
	case "none":
	default:
		headers = append(headers, "Content-Type: "+a.contentType)
	}
	return s.request(http.MethodPost, "/graphql", a.body, headers...)
}

// check looks at what the audit asks for, and that every answer is JSON in
// UTF-8 with a code in each error.
func (a audit) check(t *testing.T, contentType, body string) {
	t.Helper()
	if a.media != "" && !strings.HasPrefix(contentType, a.media+";") {
		t.Errorf("the media type is %q, want %q", contentType, a.media)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || !utf8.ValidString(body) || !strings.HasSuffix(contentType, "charset=utf-8") {
		t.Fatalf("not JSON in UTF-8: %q, %v", body, err)
	}
	if a.executed && (len(answer.Data) == 0 || answer.Errors != nil) {
		t.Errorf("was not executed: %s", body)
	}
	if a.noData && answer.Data != nil {
		t.Errorf("has data: %s", body)
	}
	for _, err := range answer.Errors {
		if err.Message == "" || err.Extensions.Code == "" {
			t.Errorf("an error without message or code: %s", body)
		}
	}
}
