package graph

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types that an answer may have.
const (
	mediaGraphQL = "application/graphql-response+json"
	mediaJSON    = "application/json"
	mediaEvents  = "text/event-stream"
)

// accepted is the media type to answer with: of those that the caller takes the
// one he likes best, the first among equals; "" when he takes none.
func accepted(r *http.Request) string {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return mediaJSON
	}
	best, liked := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		media, q := mediaRange(part)
		switch media {
		case "*/*", "application/*":
			media = mediaJSON
		case mediaGraphQL, mediaJSON, mediaEvents:
		default:
			continue
		}
		if q > liked {
			best, liked = media, q
		}
	}
	return best
}

// mediaRange reads one media range of an Accept header with its weight; one that
// cannot be read, or wants another charset, weighs nothing.
func mediaRange(part string) (media string, q float64) {
	media, params, err := mime.ParseMediaType(part)
	if err != nil {
		return "", 0
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", 0
	}
	weight, ok := params["q"]
	if !ok {
		return media, 1
	}
	if q, err = strconv.ParseFloat(weight, 64); err != nil {
		return "", 0
	}
	return media, q
}

// isJSON tells whether a request says that its body is JSON in UTF-8.
func isJSON(r *http.Request) bool {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := params["charset"]
	return err == nil && media == mediaJSON && (!given || strings.EqualFold(charset, "utf-8"))
}
