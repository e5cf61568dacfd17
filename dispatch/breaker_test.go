package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"tocsin/dispatch"
)

// TestBreaker: a system that is down is asked now and again, not by every
// delivery; when it is up, all arrive soon. A rate limit is no outage.
func TestBreaker(t *testing.T) {
	onStage(t, func(s *stage) {
		up := time.Now().Add(10 * time.Minute)
		for range 20_000 {
			s.post.do(func(p dispatch.Parcel) dispatch.Outcome {
				if time.Now().Before(up) {
					return dispatch.Deferred(errNo)
				}
				return dispatch.Delivered(dispatch.Ref{ID: p.DeliveryID})
			})
		}
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		for i := range 200 {
			s.raise("Sign-in", fmt.Sprint(i))
		}
		s.after(9 * time.Minute)
		if calls := len(s.post.seen()); calls > 60 {
			t.Errorf("%d calls to a system that is down, for 200 deliveries in nine minutes", calls)
		}
		s.after(3 * time.Minute)
		if a := s.balances(); a.Delivered != 200 {
			t.Errorf("accounting %+v, want all to have arrived", a)
		}
	})
}
