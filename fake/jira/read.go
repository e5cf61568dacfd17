package jira

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// with finds the issue that a path names.
func (s *Site) with(w http.ResponseWriter, r *http.Request, do func(*Issue)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.issue(r.PathValue("id"))
	if i == nil {
		refuse(w, http.StatusNotFound, noIssue, nil)
		return
	}
	do(i)
}

// shown is an issue with its fields; those of a status may be older.
func (s *Site) shown(i *Issue, status Status, changed time.Time) object {
	fields := object{
		"summary": i.Summary, "status": status.shown(), "labels": i.Labels, "updated": changed.UTC().Format("2006-01-02T15:04:05.000-0700"),
		"issuetype": object{"name": i.Type}, "project": object{"key": i.project.Key}, "priority": object{"name": i.Priority},
		"description": i.Description, "resolution": nil,
	}
	if i.Resolution != "" {
		fields["resolution"] = object{"name": i.Resolution}
	}
	return object{"id": i.ID, "key": i.Key, "self": s.URL() + "/rest/api/3/issue/" + i.ID, "fields": fields}
}

func (s *Site) readIssue(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(i *Issue) { reply(w, http.StatusOK, s.shown(i, i.Status, i.changed)) })
}

func (s *Site) readProperty(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(i *Issue) {
		value, ok := i.Properties[r.PathValue("key")]
		if !ok {
			refuse(w, http.StatusNotFound, "The property does not exist.", nil)
			return
		}
		reply(w, http.StatusOK, object{"key": r.PathValue("key"), "value": value})
	})
}

const fetchMost = 100

// fetchIssues leaves out what is not there without a word.
func (s *Site) fetchIssues(w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDs []string `json:"issueIdsOrKeys"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || len(in.IDs) == 0 || len(in.IDs) > fetchMost {
		refuse(w, http.StatusBadRequest, "issueIdsOrKeys must have 1 to 100 items", nil)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []object{}
	for _, i := range s.issues {
		if slices.Contains(in.IDs, i.ID) || slices.Contains(in.IDs, i.Key) {
			found = append(found, s.shown(i, i.Status, i.changed))
		}
	}
	reply(w, http.StatusOK, object{"issues": found, "issueErrors": []object{}})
}

var (
	jqlLabel   = regexp.MustCompile(`^labels = "([^"]+)"$`)
	jqlUpdated = regexp.MustCompile(`^updated >= "?-([0-9]+)m"?$`)
	pageToken  = regexp.MustCompile(`^page-([0-9]+)$`)
)

// query is the part of JQL that is understood here.
type query struct {
	labels []string
	since  time.Time
}

func (s *Site) query(jql string) (q query, ok bool) {
	where, _, _ := strings.Cut(jql, " ORDER BY ")
	for part := range strings.SplitSeq(where, " AND ") {
		if label := jqlLabel.FindStringSubmatch(part); label != nil {
			q.labels = append(q.labels, label[1])
			continue
		}
		minutes := jqlUpdated.FindStringSubmatch(part)
		if minutes == nil {
			return q, false
		}
		n, err := strconv.Atoi(minutes[1])
		if err != nil {
			return q, false
		}
		q.since = s.o.Now().Truncate(time.Minute).Add(-time.Duration(n) * time.Minute)
	}
	return q, true
}

// search finds what the index knows, which may be older than what is so; without a bound on what is sought it refuses.
func (s *Site) search(w http.ResponseWriter, r *http.Request) {
	var in struct {
		JQL        string   `json:"jql"`
		Next       string   `json:"nextPageToken"`
		Most       int      `json:"maxResults"`
		Properties []string `json:"properties"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		refuse(w, http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.query(in.JQL)
	page := pageToken.FindStringSubmatch(in.Next)
	switch {
	case !ok:
		refuse(w, http.StatusBadRequest, "Error in the JQL Query: it is not understood.", nil)
	case in.Next != "" && page == nil:
		refuse(w, http.StatusBadRequest, "The provided next page token is invalid or expired.", nil)
	default:
		first := 0
		if page != nil {
			first, _ = strconv.Atoi(page[1]) // digits, by the expression
		}
		most := min(max(in.Most, 1), s.o.PageMost)
		if in.Most == 0 {
			most = min(50, s.o.PageMost)
		}
		s.page(w, s.found(q, in.Properties), first, most)
	}
}

func (s *Site) page(w http.ResponseWriter, all []object, first, most int) {
	first = min(first, len(all))
	last := min(first+most, len(all))
	answer := object{"issues": all[first:last], "isLast": last == len(all)}
	if last < len(all) {
		answer["nextPageToken"] = "page-" + strconv.Itoa(last)
	}
	reply(w, http.StatusOK, answer)
}

func (s *Site) found(q query, properties []string) []object {
	all := []object{}
	for _, i := range s.issues {
		status, changed := i.Status, i.changed
		if s.o.Now().Before(i.changed.Add(s.o.SearchDelay)) {
			if i.sought == nil {
				continue // not in the index yet
			}
			status, changed = i.sought.status, i.sought.changed
		}
		isWanted := !changed.Before(q.since)
		for _, label := range q.labels {
			isWanted = isWanted && slices.Contains(i.Labels, label)
		}
		if !isWanted {
			continue
		}
		one := s.shown(i, status, changed)
		if len(properties) > 0 {
			values := object{}
			for _, name := range properties {
				if value, ok := i.Properties[name]; ok {
					values[name] = value
				}
			}
			one["properties"] = values
		}
		all = append(all, one)
	}
	return all
}
