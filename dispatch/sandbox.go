package dispatch

import (
	"context"
	"time"
)

// Sandbox runs what users wrote, lambdas and templates, within hard limits of
// time and memory. It is safe for many goroutines. Whatever the source does,
// each method returns soon after its limit or the end of ctx.
type Sandbox interface {
	// CheckLambda compiles a lambda; nil when it can be run. The error names line
	// and column of the author's own source, and shows the place.
	CheckLambda(ctx context.Context, source string) error
	// RunLambda calls a lambda once, in a machine of its own that knows nothing of
	// other calls. The same call gives the same result.
	RunLambda(ctx context.Context, c LambdaCall) LambdaResult
	// CheckTemplate parses a template with logic; nil when it can be rendered.
	CheckTemplate(ctx context.Context, c TemplateCall) error
	// RenderTemplate fills in a template with logic.
	RenderTemplate(ctx context.Context, c TemplateCall) TemplateResult
}

// LambdaCall is what one call of a lambda is made of.
type LambdaCall struct {
	Source string // JavaScript or TypeScript, export default (alert, ctx) => …
	Alert  JSON   // an object, the first argument
	Config JSON   // ctx.config; an object, or nil for {}
	Ticket JSON   // ctx.ticket; nil for null
	Action JSON   // ctx.action; nil for null
	Now    time.Time
	Seed   string // Math.random follows from it
}

// LambdaResult is how a call ended.
type LambdaResult struct {
	Alert    JSON // what it returned, an object; nil when it dropped the alert
	Logs     []string
	Duration time.Duration
	Err      error // in plain words; with the place in the author's own source where there is one
}

// TemplateCall is a template and what it is filled with.
type TemplateCall struct {
	Text string // of text/template
	Form string // "true": plain text; "html": html/template; "json": values are written as the inside of a JSON text
	Data JSON   // an object: Alert, Ticket; names as in {{.Alert.Summary}}
}

// TemplateResult is how a rendering ended.
type TemplateResult struct {
	Text     string
	Warnings []string // of keys that are missing, which give an empty text
	Err      error    // in plain words, with line and column
}
