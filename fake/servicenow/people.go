package servicenow

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Records are copies of all records of a table, in the order in which they were made.
func (i *Instance) Records(table string) []Record {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []Record
	for _, r := range i.records {
		if r.Table == table {
			out = append(out, Record{r.Table, maps.Clone(r.Columns)})
		}
	}
	return out
}

// Record is a copy of a record as it stands; zero when there is none.
func (i *Instance) Record(id string) Record {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.find(id); r != nil {
		return Record{r.Table, maps.Clone(r.Columns)}
	}
	return Record{}
}

// Notes are the work notes of a record, the oldest first.
func (i *Instance) Notes(id string) []Note {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(i.journal), func(n Note) bool { return n.SysID != id })
}

// SetState is somebody who sets a record's state in the instance.
func (i *Instance) SetState(id, state, who string) { i.Set(id, "state", state, who) }

// Set is somebody who sets a column of a record in the instance.
func (i *Instance) Set(id, column, value, who string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.find(id); r != nil {
		r.Columns[column] = value
		i.touch(r, who)
	}
}

// Note is somebody who writes a work note.
func (i *Instance) Note(id, text, who string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.find(id); r != nil {
		i.journal = append(i.journal, Note{id, who, text, i.o.Now()})
		i.touch(r, who)
	}
}

// Delete takes a record out.
func (i *Instance) Delete(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.records = slices.DeleteFunc(i.records, func(r *Record) bool { return r.Columns["sys_id"] == id })
}

// Hide lets an access control keep a record from the user: it is counted and not shown.
func (i *Instance) Hide(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hidden[id] = true
}

// Push is what the business rule sends of a record.
type Push struct {
	Secret string // whsec_
	ID     string // of the message; "" makes one
	At     time.Time
	Body   string
}

// Push is what the business rule sends of a record as it stands, signed with a secret.
func (i *Instance) Push(id, secret string) (Push, error) {
	r := i.Record(id)
	said := map[string]string{"table": r.Table, "operation": "update"}
	for _, name := range []string{"sys_id", "number", "state", "sys_updated_on", "sys_updated_by", "sys_mod_count"} {
		said[name] = r.Columns[name]
	}
	body, err := json.Marshal(said)
	if err != nil {
		return Push{}, fmt.Errorf("push %s: %w", id, err)
	}
	return Push{Secret: secret, Body: string(body)}, nil
}

// Sign is the header that the push is sent with. The zero At is now.
func (p Push) Sign() (http.Header, error) {
	if p.ID == "" {
		p.ID = rand.Text()
	}
	if p.At.IsZero() {
		p.At = time.Now()
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Secret, "whsec_"))
	if err != nil {
		return nil, fmt.Errorf("sign the push: %w", err)
	}
	at := strconv.FormatInt(p.At.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, p.ID+"."+at+"."+p.Body)
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set("webhook-id", p.ID)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h, nil
}

// Send brings the push to an address; it returns the status and the body of the answer.
func (p Push) Send(ctx context.Context, client *http.Client, url string) (int, string, error) {
	header, err := p.Sign()
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(p.Body)))
	if err != nil {
		return 0, "", fmt.Errorf("push: %w", err)
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("push: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("push: %w", err)
	}
	return resp.StatusCode, string(body), nil
}
