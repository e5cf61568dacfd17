package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
)

// eveEvent is what is read of an event of Suricata's EVE log, as its manual
// has it in "Eve JSON Format". What an event holds beside it goes along as payload.
type eveEvent struct {
	Timestamp string          `json:"timestamp"`
	EventType string          `json:"event_type"`
	FlowID    json.RawMessage `json:"flow_id"`
	Host      string          `json:"host"`
	InIface   json.RawMessage `json:"in_iface"`
	SrcIP     string          `json:"src_ip"`
	SrcPort   json.RawMessage `json:"src_port"`
	DestIP    string          `json:"dest_ip"`
	DestPort  json.RawMessage `json:"dest_port"`
	Proto     string          `json:"proto"`
	Alert     *eveAlert       `json:"alert"`
}

type eveAlert struct {
	Action      json.RawMessage `json:"action"`
	GID         json.RawMessage `json:"gid"`
	SignatureID json.RawMessage `json:"signature_id"`
	Rev         json.RawMessage `json:"rev"`
	Signature   string          `json:"signature"`
	Category    string          `json:"category"`
	Severity    json.RawMessage `json:"severity"`
}

// eveSeverities turn Suricata's priorities, of which 1 is the most urgent. Any
// other leaves the severity to the behavior model.
var eveSeverities = map[string]string{"1": "HIGH", "2": "MEDIUM", "3": "LOW", "4": "INFO"}

// fromEVE reads an event of Suricata. Only alerts raise.
func fromEVE(line []byte, key string) ([]byte, error) {
	var head struct {
		EventType string `json:"event_type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, foreign("Suricata's EVE JSON", err)
	}
	switch head.EventType {
	case "":
		return nil, errors.New("event_type: is missing; give Suricata's EVE JSON, or choose another --format")
	case "alert":
	default:
		return nil, nil
	}
	line = withoutNUL(line)
	var e eveEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, foreign("Suricata's EVE JSON", err)
	}
	if e.Alert == nil || e.Alert.Signature == "" {
		return nil, errors.New("alert.signature: is missing; an alert needs the name of its rule")
	}
	return encode(e.raised(line, key))
}

func (e eveEvent) raised(line []byte, key string) alert {
	a := alert{
		BehaviorModel: e.Alert.Signature, Behavior: e.Alert.Category, Summary: cut(e.summary(), maxSummary),
		Key: e.SrcIP, Severity: eveSeverities[string(e.Alert.Severity)], Source: "suricata",
		Attributes: e.attributes(), Payload: line, OccurredAt: moment(e.Timestamp), IdempotencyKey: key,
	}
	if e.SrcIP != "" {
		a.KeyType = "ip"
	}
	if e.Host != "" {
		a.Source = e.Host
	}
	return a
}

// summary says which rule fired, and between whom.
func (e eveEvent) summary() string {
	if e.SrcIP == "" || e.DestIP == "" {
		return e.Alert.Signature
	}
	way := fmt.Sprintf("%s → %s", endpoint(e.SrcIP, e.SrcPort), endpoint(e.DestIP, e.DestPort))
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", e.Alert.Signature, way, e.Proto))
}

// endpoint joins address and port; some protocols have none.
func endpoint(ip string, port json.RawMessage) string {
	if isNull(port) {
		return ip
	}
	return net.JoinHostPort(ip, string(port))
}

// attributes are what conditions ask for, under Suricata's own names.
func (e eveEvent) attributes() map[string]any {
	out := map[string]any{}
	for name, value := range map[string]json.RawMessage{
		"src_port": e.SrcPort, "dest_port": e.DestPort, "in_iface": e.InIface, "flow_id": e.FlowID,
		"action": e.Alert.Action, "gid": e.Alert.GID, "signature_id": e.Alert.SignatureID, "rev": e.Alert.Rev,
	} {
		if !isNull(value) {
			out[name] = value
		}
	}
	for name, value := range map[string]string{"dest_ip": e.DestIP, "proto": e.Proto} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// foreign says that a line is not what the format has, and in which field.
func foreign(what string, err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: is of the type %s; %s has another there", wrong.Field, wrong.Value, what)
	}
	return fmt.Errorf("is not an object of %s; choose another --format", what)
}
