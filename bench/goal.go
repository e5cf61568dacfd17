package main

import (
	"fmt"
	"strconv"
	"strings"
)

// goal is what a path is to reach: at least a bound, or at most.
type goal struct {
	text   string
	bound  float64
	atMost bool
	got    func(r *row) float64
}

func perSecond(bound float64) goal {
	return goal{"≥ " + number(bound) + "/s", bound, false, func(r *row) float64 { return r.Ours.Value }}
}

func ofLimit(bound float64) goal {
	return goal{fmt.Sprintf("≥ %.2f of the limit", bound), bound, false, func(r *row) float64 { return r.Ratio.Median }}
}

func p50(bound float64) goal {
	return goal{fmt.Sprintf("p50 ≤ %g ms", bound), bound, true, func(r *row) float64 { return r.Ours.P50 }}
}

func p99(bound float64) goal {
	return goal{fmt.Sprintf("p99 ≤ %g ms", bound), bound, true, func(r *row) float64 { return r.Ours.P99 }}
}

// most bounds a figure that is no rate.
func most(bound float64, unit string) goal {
	return goal{fmt.Sprintf("≤ %g %s", bound, unit), bound, true, func(r *row) float64 { return r.Ours.Value }}
}

// verdict is "ok", or by how much of its bound the figure is off.
func (g goal) verdict(r *row) string {
	got := g.got(r)
	off := (g.bound - got) / g.bound
	if g.atMost {
		off = -off
	}
	switch {
	case off <= 0:
		return "ok"
	case g.atMost:
		return fmt.Sprintf("over by %.0f %%", max(1, off*100))
	default:
		return fmt.Sprintf("short by %.0f %%", max(1, off*100))
	}
}

// number writes a figure with as many digits as it carries, in groups of three.
func number(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	var groups []string
	for len(text) > 3 {
		groups = append([]string{text[len(text)-3:]}, groups...)
		text = text[:len(text)-3]
	}
	return strings.Join(append([]string{text}, groups...), ",")
}
