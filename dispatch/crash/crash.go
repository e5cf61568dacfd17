// Package crash names the moments at which the program must be able to die.
// Built with the tag crashpoints, the program ends itself there with SIGKILL,
// as a test asks; built without, the points are nothing.
//
// It decides nothing and repairs nothing: a test starts the program again on the
// same books and looks at what is left.
package crash

// The moments, in the order of an alert's walk.
const (
	Migration    = "during migration"
	BeforePlan   = "before plan"
	BeforeCommit = "before commit"
	GroupCommit  = "during group commit"
	BeforeAnswer = "after commit before answer"
	AfterClaim   = "after claim"
	AfterSend    = "after send before settle"
	AfterSettle  = "after settle before bell"
)

// Crowd is how many callers must wait for a commit that counts as GroupCommit.
const Crowd = 100

// Variable of the environment that says where to die: `moment`, `moment:n` for
// the n-th passing, `moment:n:delay` for a time after it.
const Variable = "TOCSIN_CRASH"
