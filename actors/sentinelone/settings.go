package sentinelone

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Settings are those of a SentinelOne actor.
type Settings struct {
	URL        string          `json:"url" title:"Console address" doc:"Give the address of the console, such as https://tenant.sentinelone.net" required:"true" format:"uri" max:"500" address:"true"`
	AccountIDs []string        `json:"accountIds" title:"Account ids" doc:"Only threats and hosts of these accounts are looked at; empty for all that the token sees" max:"50"`
	SiteIDs    []string        `json:"siteIds" title:"Site ids" doc:"Only threats and hosts of these sites are looked at; empty for all that the token sees" max:"50"`
	Dangerous  bool            `json:"dangerous" title:"Allow isolate, mitigate and block" doc:"Let API configs of this actor isolate hosts, mitigate threats and block hashes"`
	APIToken   dispatch.Secret `json:"apiToken" title:"API token" doc:"Give the API token of a service user of the console" required:"true" secret:"true" max:"5000"`
}

// TargetKind says what a target names.
type TargetKind string

const (
	targetThreat TargetKind = "threat"
	targetAlert  TargetKind = "alert"
	targetUUID   TargetKind = "host_uuid"
	targetName   TargetKind = "host_name"
	targetIP     TargetKind = "host_ip"
	targetMAC    TargetKind = "host_mac"
)

// Operations of an API config.
const (
	opNote     = "note"
	opLink     = "link_ticket"
	opStatus   = "set_status"
	opVerdict  = "set_verdict"
	opIsolate  = "isolate"
	opRelease  = "release"
	opScan     = "scan"
	opMitigate = "mitigate"
	opBlock    = "block_hash"
)

var dangerous = []string{opIsolate, opMitigate, opBlock}

// ConfigSettings are those of a SentinelOne API config.
type ConfigSettings struct {
	TargetKind   TargetKind `json:"targetKind" title:"Target" doc:"What target names: a threat, a Unified Alert, or a host by its agent's UUID, name, IP or MAC address" required:"true" enum:"threat,alert,host_uuid,host_name,host_ip,host_mac"`
	Target       string     `json:"target" title:"Target's id" doc:"Where the alert names it, such as {{.Alert.Attributes.threatId}}" required:"true" template:"true" max:"500"`
	Operations   []string   `json:"operations" title:"Operations" doc:"What to do there, in this order, out of note, link_ticket, set_status, set_verdict, isolate, release, scan, mitigate, block_hash; empty does note, link_ticket, set_status" max:"9"`
	Note         string     `json:"note" title:"Note" doc:"The text of the operation note" template:"true"`
	Verdict      string     `json:"verdict" title:"Verdict" doc:"The analyst verdict that the operation set_verdict sets" enum:"undefined,true_positive,false_positive,suspicious"`
	CloseVerdict string     `json:"closeVerdict" title:"Verdict of a close" doc:"The analyst verdict that is set when the ticket is closed; empty leaves it" enum:"true_positive,false_positive,suspicious"`
	Mitigation   string     `json:"mitigation" title:"Mitigation" doc:"What the operation mitigate asks for" enum:"kill,quarantine,un-quarantine,remediate,rollback-remediation,network-quarantine"`
	Hash         string     `json:"hash" title:"Hash" doc:"The SHA-1 that the operation block_hash blocks, such as {{.Alert.Attributes.sha1}}; empty takes that of the threat's file" template:"true" max:"500"`
	Updates      bool       `json:"updates" title:"Keep the status the same" doc:"Carry the ticket's status to the threat and the threat's to the ticket from then on"`
}

// operations are those to do. The usual ones are not a default in the kind, for
// a list there would be shared by all that is filled from it.
func (c *ConfigSettings) operations() []string {
	if len(c.Operations) == 0 {
		return []string{opNote, opLink, opStatus}
	}
	return c.Operations
}

var (
	idForm   = regexp.MustCompile(`^[1-9][0-9]{17,18}$`)
	sha1Form = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// check is what the tags cannot say.
func (s *Settings) check() error {
	u, err := call.Address("settings.url", s.URL)
	if err != nil {
		return err
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return dispatch.Refuse(dispatch.CodeInvalid, "settings.url", "has a path; give the console's address alone, such as https://tenant.sentinelone.net")
	}
	if strings.ContainsFunc(string(s.APIToken), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return dispatch.Refuse(dispatch.CodeInvalid, "secrets.apiToken", "holds a space or a line break; copy the token again, without the word ApiToken")
	}
	for field, ids := range map[string][]string{"accountIds": s.AccountIDs, "siteIds": s.SiteIDs} {
		for _, id := range ids {
			if !idForm.MatchString(id) {
				return dispatch.Refuse(dispatch.CodeInvalid, "settings."+field, fmt.Sprintf("%q is not an id; they have 18 or 19 digits", id))
			}
		}
	}
	return nil
}

// possible are the operations by what they are done to.
var possible = map[TargetKind][]string{
	targetThreat: {opNote, opLink, opStatus, opVerdict, opIsolate, opRelease, opScan, opMitigate, opBlock},
	targetAlert:  {opNote, opLink, opStatus, opVerdict},
	targetUUID:   hostOperations, targetName: hostOperations, targetIP: hostOperations, targetMAC: hostOperations,
}

var hostOperations = []string{opIsolate, opRelease, opScan, opBlock}

// allow says why an API config's operations may not be done; nil when they may.
// It is asked before the first of them, so that none is done in vain.
func (s *Settings) allow(c *ConfigSettings) error {
	for _, op := range c.operations() {
		if slices.Contains(dangerous, op) && !s.Dangerous {
			return fmt.Errorf("the operation %s is not allowed: a person must turn settings.dangerous of the actor on", op)
		}
		if !slices.Contains(possible[c.TargetKind], op) {
			return fmt.Errorf("settings.operations holds %q, which is none for the target %s; there are %s",
				dispatch.Cut(op, 100), c.TargetKind, strings.Join(possible[c.TargetKind], ", "))
		}
	}
	return c.complete()
}

// complete says what an operation lacks; nil when it has all.
func (c *ConfigSettings) complete() error {
	hash := strings.TrimSpace(c.Hash)
	switch {
	case slices.Contains(c.operations(), opVerdict) && c.Verdict == "":
		return fmt.Errorf("settings.verdict is empty: give the verdict that %s is to set", opVerdict)
	case slices.Contains(c.operations(), opMitigate) && c.Mitigation == "":
		return fmt.Errorf("settings.mitigation is empty: give what %s is to ask for, such as kill", opMitigate)
	case slices.Contains(c.operations(), opBlock) && hash != "" && !sha1Form.MatchString(hash):
		return fmt.Errorf("settings.hash gave %q, which is not a SHA-1 of 40 hexadecimal digits", dispatch.Cut(hash, 100))
	default:
		return nil
	}
}
