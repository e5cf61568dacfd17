package plan

import (
	"context"
	"reflect"
)

// run is one answer in the making.
type run struct {
	ctx       context.Context //nolint:containedctx // of this answer, which ends with the call that makes it
	variables map[string]any
}

// table is what was found for a selection: for each field that was asked for,
// or that leads to further objects, its value for each parent.
type table struct {
	o       *object
	parents []reflect.Value
	columns []column
}

// column is one field of all parents. Its objects are written in the order in
// which they were found.
type column struct {
	values []reflect.Value
	below  []*table
	next   []int
}

// resolve finds all that is needed below some parents, a level at a time.
func (o *object) resolve(r *run, parents []reflect.Value) (*table, error) {
	t := &table{o: o, parents: parents, columns: make([]column, len(o.fields))}
	if len(parents) == 0 {
		return t, nil
	}
	for i := range o.fields {
		f, c := &o.fields[i], &t.columns[i]
		if f.constant != nil || f.ask == nil && f.out.innermost().objects == nil {
			continue
		}
		var err error
		if c.values, err = f.values(r, parents); err != nil {
			return nil, err
		}
		if err := c.descend(r, f.out); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// values are those of one field.
func (f *field) values(r *run, parents []reflect.Value) ([]reflect.Value, error) {
	if f.ask != nil {
		return f.ask.all(r, parents)
	}
	values := make([]reflect.Value, len(parents))
	for i, p := range parents {
		values[i] = p.FieldByIndex(f.index)
	}
	return values, nil
}

// descend resolves the objects among the values.
func (c *column) descend(r *run, s *shape) error {
	objects := s.innermost().objects
	if objects == nil {
		return nil
	}
	found := make([][]reflect.Value, len(objects))
	for _, v := range c.values {
		if err := s.gather(v, found); err != nil {
			return err
		}
	}
	c.below, c.next = make([]*table, len(objects)), make([]int, len(objects))
	for i, o := range objects {
		var err error
		if c.below[i], err = o.resolve(r, found[i]); err != nil {
			return err
		}
	}
	return nil
}

// gather collects the objects of a value, by which of the shape's they are.
func (s *shape) gather(v reflect.Value, found [][]reflect.Value) error {
	v = behind(v)
	switch {
	case !v.IsValid():
		return nil
	case s.elem == nil:
		i, err := s.which(v)
		if err == nil {
			found[i] = append(found[i], addressable(v))
		}
		return err
	}
	for i := range v.Len() {
		if err := s.elem.gather(v.Index(i), found); err != nil {
			return err
		}
	}
	return nil
}

// which of the shape's objects a value is.
func (s *shape) which(v reflect.Value) (int, error) {
	if len(s.objects) == 1 {
		return 0, nil
	}
	for i, o := range s.objects {
		if o.goType == v.Type() {
			return i, nil
		}
	}
	return 0, errUnknown
}

// behind is the value behind pointers and interfaces; invalid for nil.
func behind(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

// addressable is the value itself, or a copy with an address.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	place := reflect.New(v.Type()).Elem()
	place.Set(v)
	return place
}

// all asks for the value of each parent.
func (q *question) all(r *run, parents []reflect.Value) ([]reflect.Value, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	in, place, err := q.input(r, parents)
	if err != nil {
		return nil, err
	}
	values := make([]reflect.Value, len(parents))
	for i, p := range parents {
		if q.parent {
			in[place] = p.Addr()
		}
		out := q.call.Call(in)
		if q.fallible && !out[1].IsNil() {
			return nil, errUnknown
		}
		values[i] = out[0]
	}
	return values, nil
}

// input is what a call takes, and the place in it of the parent.
func (q *question) input(r *run, parents []reflect.Value) (in []reflect.Value, place int, err error) {
	if !q.resolver {
		in = append(in, reflect.Value{})
	}
	if q.context {
		in = append(in, reflect.ValueOf(r.ctx))
	}
	if q.resolver && q.parent {
		place = len(in)
		in = append(in, reflect.Value{})
	}
	var args map[string]any
	if q.arguments != nil {
		if args, err = q.arguments(r.ctx, q.field.ArgumentMap(r.variables)); err != nil {
			return nil, 0, err
		}
	}
	if q.ahead != nil {
		q.ahead(r.ctx, parents, args)
	}
	for _, name := range q.order {
		in = append(in, reflect.ValueOf(args[name]))
	}
	return in, place, nil
}
