package db

import (
	"strings"
	"testing"
)

// TestQueueReadsNoHistory: what is asked again and again of the queue goes along
// an index of what is unfinished, so that it costs no more as history grows.
func TestQueueReadsNoHistory(t *testing.T) {
	s, all := onSQLite(t), queries(t)
	for name, index := range map[string]string{
		"NextDue": "deliveries_queue", "CountWaitingOfActor": "deliveries_queue", "CountWaitingOfAPIConfig": "deliveries_waiting",
		"CountLeasedOfActor": "deliveries_leased", "NextLeasedActor": "deliveries_leased", "IsLeaseOver": "deliveries_leased", "CountFailed": "deliveries_failed",
	} {
		if plan := s.queryPlan(all[name]); !strings.Contains(plan, "INDEX "+index+" ") {
			t.Errorf("%s goes along %s", name, plan)
		}
	}
}

// queryPlan is how SQLite goes about a query.
func (s *stage) queryPlan(text string) string {
	s.t.Helper()
	args := make([]any, strings.Count(text, "$"))
	rows, err := s.books.pool.QueryContext(s.ctx, "EXPLAIN QUERY PLAN "+text, args...)
	s.must(err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		s.must(rows.Scan(&id, &parent, &unused, &detail))
		plan.WriteString(detail + "; ")
	}
	s.must(rows.Err())
	return plan.String()
}
