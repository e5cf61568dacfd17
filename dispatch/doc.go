// Package dispatch is the hub: what an alert, an action, a delivery and a
// ticket mean, and what follows from what. It knows no SQL, no HTTP server, no
// GraphQL and no vendor; the rooms around it each know one of these.
//
// The walk of one alert, and the file of each step:
//
//	raise.go    check → plan → store → ring         RaiseAlertInput → Raised
//	plan.go     match → condition → deliveries      pure
//	carry.go    claim → deliver.go → settle.go      a line of couriers an actor; begin.go claims with the raise
//	sync.go     a ticket moves: follow.go says who hears of it
//	intake.go   an actor's system moves it: judge.go decides; keep.go asks and listens
//	watch.go    the ledger speaks, bell.go wakes
//
// Everything that is stored goes through Store, whose methods are one
// transaction each; the bell rings after a method has returned, so nothing is
// told before it is true. What decides is pure: plan, settle, the tables
// TicketMoves and DeliveryMoves, Patience.
//
// Who may import whom: dispatch imports none of our rooms. graph, db, lambda,
// actors, console, cli and fake import dispatch and their own sub-rooms, never
// each other. Only server, and main through it, imports all.
package dispatch
