package plan

import (
	"errors"
	"reflect"
)

// write appends the object that was found for a parent.
func (t *table) write(b []byte, parent int) ([]byte, error) {
	b = append(b, '{')
	for i := range t.o.fields {
		f, c := &t.o.fields[i], &t.columns[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, f.key...)
		if f.constant != nil {
			b = append(b, f.constant...)
			continue
		}
		var v reflect.Value
		if c.values != nil {
			v = c.values[parent]
		} else {
			v = t.parents[parent].FieldByIndex(f.index)
		}
		var err error
		if b, err = f.out.write(b, v, c); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// write appends a value.
func (s *shape) write(b []byte, v reflect.Value, c *column) ([]byte, error) {
	v = behind(v)
	switch {
	case !v.IsValid():
		return s.null(b)
	case s.elem != nil:
		return s.list(b, v, c)
	case s.leaf != nil:
		text, err := s.leaf(b, v)
		if errors.Is(err, ErrNull) {
			return s.null(b)
		}
		return text, err
	}
	i, err := s.which(v)
	if err != nil {
		return nil, err
	}
	c.next[i]++
	return c.below[i].write(b, c.next[i]-1)
}

func (s *shape) list(b []byte, v reflect.Value, c *column) ([]byte, error) {
	if v.IsNil() && !s.nonNull {
		return s.null(b)
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = s.elem.write(b, v.Index(i), c); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// null appends null, where that may stand.
func (s *shape) null(b []byte) ([]byte, error) {
	if s.nonNull {
		return nil, errNull
	}
	return append(b, "null"...), nil
}
