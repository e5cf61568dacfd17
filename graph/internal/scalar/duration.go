package scalar

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// iso8601 has a group for each part: sign, weeks, days, hours, minutes, seconds.
var iso8601 = regexp.MustCompile(`^(-)?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$`)

// calendar finds a length that counts years or months.
var calendar = regexp.MustCompile(`^-?P\d*(Y|.*\d[YM])[^T]*(T|$)`)

const errDuration = Invalid("cannot be read as a Duration; give ISO 8601 such as PT30S, PT1H30M or P7D")

func parseDuration(text string) (time.Duration, error) {
	parts := iso8601.FindStringSubmatch(text)
	if parts == nil {
		date, _, _ := strings.Cut(text, "T")
		if calendar.MatchString(date) {
			return 0, Invalid("has years or months, which have no fixed length; give weeks, days or hours such as P30D")
		}
		return 0, errDuration
	}
	if strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, errDuration
	}
	total := 0.0
	for i, unit := range []time.Duration{week, day, time.Hour, time.Minute, time.Second} {
		if parts[i+2] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+2], 64)
		if err != nil {
			return 0, errDuration
		}
		total += n * float64(unit)
	}
	if total >= math.MaxInt64 {
		return 0, Invalid("is longer than 292 years; give a shorter one")
	}
	length := time.Duration(math.Round(total))
	if parts[1] == "-" {
		length = -length
	}
	return length, nil
}

func formatDuration(d time.Duration) string {
	if d == 0 {
		return "PT0S"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	b.WriteByte('P')
	d = part(&b, d, day, 'D')
	if d > 0 {
		b.WriteByte('T')
	}
	d = part(&b, d, time.Hour, 'H')
	d = part(&b, d, time.Minute, 'M')
	if d > 0 {
		b.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
		b.WriteByte('S')
	}
	return b.String()
}

// part writes the whole units in d and returns what is left.
func part(b *strings.Builder, d, unit time.Duration, letter byte) time.Duration {
	if n := d / unit; n > 0 {
		b.WriteString(strconv.FormatInt(int64(n), 10))
		b.WriteByte(letter)
	}
	return d % unit
}
