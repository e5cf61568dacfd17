package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// A page visits at most fifty rows for each row asked for, however rare its
// matches are: an index is walked in the order of the list, with all further
// tests beside it, until the page is full or the budget is spent. A page whose
// budget was spent is short and says where to go on.
const (
	perRow  = 45  // rows walked for each row asked for; loading takes one more
	maxLegs = 200 // legs of one way
)

// clause is one test of a filter: that a column has one of some values, or
// whatever sql says.
type clause struct {
	column string
	values []any
	sql    func(e *engine, args *[]any) string
}

// oneOf tests for some values, each of which may be given more than once.
func oneOf[V any](column string, values []V, convert func(V) any) clause {
	c := clause{column: column, values: make([]any, 0, len(values))}
	known := make(map[any]bool, len(values))
	for _, v := range values {
		if value := convert(v); !known[value] {
			known[value] = true
			c.values = append(c.values, value)
		}
	}
	return c
}

func textual[V ~string](v V) any { return string(v) }

func (c clause) write(e *engine, args *[]any) string {
	switch {
	case c.sql != nil:
		return c.sql(e, args)
	case len(c.values) == 0:
		return "1 = 0"
	default:
		return in("x."+c.column, c.values, args)
	}
}

func conjunction(e *engine, clauses []clause, args *[]any) string {
	if len(clauses) == 0 {
		return "1 = 1"
	}
	parts := make([]string, len(clauses))
	for i, c := range clauses {
		parts[i] = c.write(e, args)
	}
	return strings.Join(parts, " AND ")
}

// search is what a page looks for.
type search struct {
	engine  *engine
	table   string
	clauses []clause
	// Within a range of time, both in milliseconds; on the column that rangeOf names.
	rangeOf      string
	since, until *int64
	order        order
	after        *key // where the page before ended
	first        int
	budget       int // rows that may be walked; perRow for each of first unless set
	visited      int // rows walked so far
}

// order is the order of a list: a leading column that is 0 for all unless a way
// fixes it, a time and a number that no two rows share.
type order struct {
	lead, at, number string
	descending       bool
}

// key is a row's place in an order.
type key [3]int64

func (o order) compare(a, b key) int {
	c := slices.Compare(a[:], b[:])
	if o.descending {
		return -c
	}
	return c
}

// by is the order in SQL, of a table's alias.
func (o order) by(alias string) string {
	direction := " ASC"
	if o.descending {
		direction = " DESC"
	}
	return alias + "." + o.at + direction + ", " + alias + "." + o.number + direction
}

// way is how the rows of a page can be found: by walking an index whose leading
// columns have known values, or, where rows is set, as a set that is small
// enough to be read whole.
type way struct {
	index   string // "" for the primary key
	columns []string
	domains [][]any                                       // the values of each column
	fixed   string                                        // what else must hold for the index to be used
	rows    func(e *engine, args *[]any, most int) string // of which it gives no more than most
	does    []int                                         // the clauses that need no further test
}

// found is what a way has found: the places of matching rows, in order, up to
// stop; without stop there are no more.
type found struct {
	keys []key
	stop *key
}

// look tries the ways in their order and takes the first that fills the page,
// else the one that came furthest.
func (s *search) look(ctx context.Context, db sqlc.DBTX, ways []way) (found, error) {
	var best *found
	budget := s.budget
	if budget == 0 {
		budget = perRow * s.first
	}
	for i, w := range ways {
		share := budget - s.visited
		if i < len(ways)-1 {
			share = budget / 2 / (len(ways) - 1) // the last way is always open
		}
		f, err := s.try(ctx, db, w, share)
		if err != nil {
			return found{}, err
		}
		if f == nil {
			continue
		}
		if f.stop == nil || len(f.keys) > s.first {
			return *f, nil
		}
		if best == nil || s.order.compare(*best.stop, *f.stop) < 0 {
			best = f
		}
	}
	return *best, nil
}

func (s *search) try(ctx context.Context, db sqlc.DBTX, w way, share int) (*found, error) {
	if w.rows != nil {
		return s.readSet(ctx, db, w, share)
	}
	return s.walk(ctx, db, w, share)
}

// rest are the clauses that a way leaves to be tested.
func (s *search) rest(w way) []clause {
	var rest []clause
	for i, c := range s.clauses {
		if !slices.Contains(w.does, i) {
			rest = append(rest, c)
		}
	}
	return rest
}

// leg is one walk along an index: each leading column has one value.
type leg struct {
	values []any
	lead   int64
}

// walk walks all legs of a way, each as far as its part of the share reaches.
// It is nil when there are more legs than rows to walk.
func (s *search) walk(ctx context.Context, db sqlc.DBTX, w way, share int) (*found, error) {
	legs := s.legs(w)
	if len(legs) > min(share, maxLegs) {
		return nil, nil //nolint:nilnil // this way is not open
	}
	if len(legs) == 0 {
		return &found{}, nil
	}
	limit := share / len(legs)
	if len(s.rest(w)) == 0 && len(s.rangeBeside()) == 0 {
		limit = min(limit, s.first+1)
	}
	var args []any
	parts := make([]string, len(legs))
	for i := range legs {
		parts[i] = s.writeLeg(w, legs[i], i, limit, &args)
	}
	rows, err := s.readKeys(ctx, db, strings.Join(parts, " UNION ALL "), args)
	if err != nil {
		return nil, err
	}
	return s.merge(rows, len(legs), limit), nil
}

// legs are the combinations of a way's values. With a leading column in the
// order, those that lie before the cursor are left out.
func (s *search) legs(w way) []leg {
	legs := []leg{{}}
	for i, column := range w.columns {
		var longer []leg
		for _, l := range legs {
			for _, v := range w.domains[i] {
				next := leg{values: append(slices.Clone(l.values), v), lead: l.lead}
				if column == s.order.lead {
					next.lead, _ = v.(int64)
				}
				longer = append(longer, next)
			}
		}
		if legs = longer; len(legs) > maxLegs {
			return legs
		}
	}
	return slices.DeleteFunc(legs, s.isPast)
}

func (s *search) isPast(l leg) bool {
	return s.after != nil && s.order.lead != "" && s.order.compare(key{l.lead}, key{s.after[0]}) < 0
}

// writeLeg writes one leg: where it stands in the index, from where it walks,
// and whether each row that it passes matches.
func (s *search) writeLeg(w way, l leg, number, limit int, args *[]any) string {
	conditions := []string{"1 = 1"}
	if w.fixed != "" {
		conditions = append(conditions, w.fixed)
	}
	for i, column := range w.columns {
		conditions = append(conditions, "x."+column+" = "+arg(args, l.values[i]))
	}
	conditions = append(conditions, s.bounds(l, args)...)
	hit := conjunction(s.engine, append(s.rest(w), s.rangeBeside()...), args)
	direction := " ASC"
	if s.order.descending {
		direction = " DESC"
	}
	by := "x." + s.order.number + direction
	if s.order.at != s.order.number {
		by = "x." + s.order.at + direction + ", " + by
	}
	return fmt.Sprintf("SELECT * FROM (SELECT %d AS leg, %d AS lead, x.%s AS at, x.%s AS number, CASE WHEN %s THEN 1 ELSE 0 END AS hit FROM %s x%s WHERE %s ORDER BY %s LIMIT %d) AS leg%d",
		number, l.lead, s.order.at, s.order.number, hit, s.table, s.hint(w), strings.Join(conditions, " AND "), by, limit, number)
}

func (s *search) hint(w way) string {
	if w.index == "" {
		return ""
	}
	return s.engine.indexed(w.index)
}

// bounds are where a leg begins and ends. Each end has one bound only, the
// narrower: two would leave the choice of the index's bound to the database.
func (s *search) bounds(l leg, args *[]any) []string {
	var bounds []string
	var since, until *int64
	if s.rangeOf == s.order.at {
		since, until = s.since, s.until
	}
	at, goesOn := "x."+s.order.at, s.after != nil && l.lead == s.after[0]
	switch {
	case goesOn && !s.order.descending && (since == nil || s.after[1] >= *since):
		bounds = append(bounds, s.beyond(">", args))
	case since != nil:
		bounds = append(bounds, at+" >= "+arg(args, *since))
	}
	switch {
	case goesOn && s.order.descending && (until == nil || s.after[1] < *until):
		bounds = append(bounds, s.beyond("<", args))
	case until != nil:
		bounds = append(bounds, at+" < "+arg(args, *until))
	}
	return bounds
}

func (s *search) beyond(comparison string, args *[]any) string {
	if s.order.at == s.order.number {
		return "x." + s.order.number + " " + comparison + " " + arg(args, s.after[2])
	}
	return fmt.Sprintf("(x.%s, x.%s) %s (%s, %s)", s.order.at, s.order.number, comparison, arg(args, s.after[1]), arg(args, s.after[2]))
}

// rangeBeside is the range as tests, where the walk does not follow its time.
func (s *search) rangeBeside() []clause {
	if s.rangeOf == s.order.at {
		return nil
	}
	return s.rangeTests()
}

func (s *search) rangeTests() []clause {
	var tests []clause
	if s.since != nil {
		tests = append(tests, compared(s.rangeOf, ">=", *s.since))
	}
	if s.until != nil {
		tests = append(tests, compared(s.rangeOf, "<", *s.until))
	}
	return tests
}

func compared(column, comparison string, value any) clause {
	return clause{sql: func(_ *engine, args *[]any) string { return "x." + column + " " + comparison + " " + arg(args, value) }}
}

// walked is a row that was passed.
type walked struct {
	leg int
	key key
	hit bool
}

func (s *search) readKeys(ctx context.Context, db sqlc.DBTX, statement string, args []any) ([]walked, error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list of %s: %w", s.table, err)
	}
	defer rows.Close()
	var all []walked
	for rows.Next() {
		var r walked
		if err := rows.Scan(&r.leg, &r.key[0], &r.key[1], &r.key[2], &r.hit); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	s.visited += len(all)
	return all, rows.Err()
}

// merge joins the legs in the list's order. A leg that was cut off hides what
// comes after its last row, so the result ends where the first of them does.
func (s *search) merge(rows []walked, legs, limit int) *found {
	count, last := make([]int, legs), make([]key, legs)
	for _, r := range rows {
		count[r.leg]++
		if count[r.leg] == 1 || s.order.compare(r.key, last[r.leg]) > 0 {
			last[r.leg] = r.key
		}
	}
	f := &found{}
	for i := range legs {
		if count[i] >= limit && (f.stop == nil || s.order.compare(last[i], *f.stop) < 0) {
			f.stop = &last[i]
		}
	}
	for _, r := range rows {
		if r.hit && (f.stop == nil || s.order.compare(r.key, *f.stop) <= 0) {
			f.keys = append(f.keys, r.key)
		}
	}
	slices.SortFunc(f.keys, s.order.compare)
	return f
}

// readSet reads a set of rows whole; it is nil when the set is too large.
func (s *search) readSet(ctx context.Context, db sqlc.DBTX, w way, share int) (*found, error) {
	if share < 2 {
		return nil, nil //nolint:nilnil // this way is not open
	}
	lead := "0"
	if s.order.lead != "" {
		lead = "x." + s.order.lead
	}
	var args []any
	hit := conjunction(s.engine, append(s.rest(w), s.rangeTests()...), &args)
	where := w.rows(s.engine, &args, share)
	statement := fmt.Sprintf("SELECT 0 AS leg, %s AS lead, x.%s AS at, x.%s AS number, CASE WHEN %s THEN 1 ELSE 0 END AS hit FROM %s x WHERE %s LIMIT %d",
		lead, s.order.at, s.order.number, hit, s.table, where, share)
	rows, err := s.readKeys(ctx, db, statement, args)
	if err != nil || len(rows) >= share {
		return nil, err
	}
	f := &found{}
	for _, r := range rows {
		if r.hit && (s.after == nil || s.order.compare(r.key, *s.after) > 0) {
			f.keys = append(f.keys, r.key)
		}
	}
	slices.SortFunc(f.keys, s.order.compare)
	return f, nil
}

// count counts matches: all of them, or up to a limit. The walking stops at ten
// rows for each row of the limit, and the count is then not exact.
func (s *search) count(ctx context.Context, db sqlc.DBTX, w way, limit int) (dispatch.Count, error) {
	if slices.ContainsFunc(w.domains, func(values []any) bool { return len(values) == 0 }) {
		return dispatch.Count{Exact: true}, nil // nothing has one of no values
	}
	var args []any
	most := limit + 1
	rest := append(s.rest(w), s.rangeTests()...)
	if len(rest) > 0 {
		most = 10 * limit
	}
	hit := conjunction(s.engine, rest, &args)
	statement := fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(hit), 0) FROM (SELECT CASE WHEN %s THEN 1 ELSE 0 END AS hit FROM %s x%s WHERE %s LIMIT %d) AS walked",
		hit, s.table, s.hint(w), s.driven(w, &args, most), most)
	var walked, hits int
	if err := db.QueryRowContext(ctx, statement, args...).Scan(&walked, &hits); err != nil {
		return dispatch.Count{}, fmt.Errorf("count of %s: %w", s.table, err)
	}
	return dispatch.Count{Rows: min(hits, limit), Exact: hits <= limit && walked < most}, nil
}

// driven is what leads a count to its rows, in no order.
func (s *search) driven(w way, args *[]any, most int) string {
	if w.rows != nil {
		return w.rows(s.engine, args, most)
	}
	conditions := []string{"1 = 1"}
	if w.fixed != "" {
		conditions = append(conditions, w.fixed)
	}
	for i, column := range w.columns {
		conditions = append(conditions, clause{column: column, values: w.domains[i]}.write(s.engine, args))
	}
	return strings.Join(conditions, " AND ")
}

// cursor writes a key as a cursor of a list.
func (k key) cursor(list string) string {
	texts := make([]string, len(k))
	for i, n := range k {
		texts[i] = strconv.FormatInt(n, 10)
	}
	return dispatch.Cursor(list, texts...)
}

// keyOfCursor reads a cursor of a list; nil for "".
func keyOfCursor(list, cursor string) (*key, error) {
	if cursor == "" {
		return nil, nil //nolint:nilnil // the list's beginning
	}
	texts, err := dispatch.CursorKeys(list, cursor, len(key{}))
	if err != nil {
		return nil, err
	}
	var k key
	for i, text := range texts {
		if k[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, dispatch.ErrCursor
		}
	}
	return &k, nil
}

// cut is the part of what was found that a page shows, and where it ends.
type cut struct {
	keys    []key
	end     *key // nil on a list that has nothing
	hasNext bool
}

func (s *search) cut(f found) cut {
	switch {
	case len(f.keys) > s.first:
		return cut{f.keys[:s.first], &f.keys[s.first-1], true}
	case f.stop != nil:
		return cut{f.keys, f.stop, true}
	case len(f.keys) > 0:
		return cut{f.keys, &f.keys[len(f.keys)-1], false}
	default:
		return cut{end: s.after}
	}
}
