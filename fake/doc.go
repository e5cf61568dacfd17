// Package fake is the stage: vendors that behave as their contracts say and fail by script, for our tests and
// for the demo's receiver.
//
// A test makes a vendor, opens it, writes its script and looks at what the vendor has afterwards:
//
//	w := slack.New(slack.Options{})
//	err := w.Start("127.0.0.1:0") // or w.Serve of a Pipe in a synctest bubble
//	defer w.Close()
//	w.Play(slack.RateLimited("30"), fake.Step{Apply: true, Reset: true})
//	// … the program posts to w.URL() + "/api/" …
//	requests, err := w.Requests.Wait(ctx, 3)
//	messages := w.Messages()
//
// This package holds what every fake shares: the HTTP [Server] that records and plays a script, the [Step] of such a
// script, the [Log] of what came, the [Gate] that silent answers wait at and the [Pipe] that replaces a socket. The
// vendors are in the folders below, one each. Nothing here imports the program: a fake that shared code with the client it
// judges would repeat the client's mistakes.
package fake
