package db

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

func (s *stage) notification(deliveryID *string) dispatch.Notification {
	return dispatch.Notification{
		ID: dispatch.NewID(dispatch.PrefixNotification), Title: "It failed", Message: "503", Severity: dispatch.High,
		Category: "Delivery", Source: "Post", DeliveryID: deliveryID, CreatedAt: s.now,
	}
}

// page reads the notifications, the newest first.
func (s *stage) page(unread *bool) []dispatch.Notification {
	s.t.Helper()
	l, err := s.books.Notifications(s.ctx, unread, dispatch.Page{First: 100})
	s.must(err)
	return l.Items
}

func TestNotificationsKeepEveryField(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := "dlv_1"
		n := s.notification(&id)
		sub, alert, ticket := "failed", "alr_1", "tkt_1"
		n.SubCategory, n.AlertID, n.TicketID, n.Title = &sub, &alert, &ticket, "größer"
		s.must(s.books.AddNotification(s.ctx, n))
		n.Seq = 1
		if diff := cmp.Diff([]dispatch.Notification{n}, s.page(nil)); diff != "" {
			t.Error("page:", diff)
		}
		byID, err := s.books.NotificationsByID(s.ctx, []string{n.ID, "ntf_none"})
		if diff := cmp.Diff(map[string]dispatch.Notification{n.ID: n}, byID); diff != "" || err != nil {
			t.Error("by id:", err, diff)
		}
	})
}

// TestOneNotificationADelivery: a delivery that is sent again, by any process or
// in one transaction, shows once.
func TestOneNotificationADelivery(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		id := "dlv_1"
		var all sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			all.Go(func() { errs[i] = stores[i%2].AddNotification(s.ctx, s.notification(&id)) })
		}
		all.Wait()
		if failed := slices.IndexFunc(errs, func(err error) bool { return err != nil }); failed >= 0 {
			t.Errorf("a second notification of one delivery gave %v", errs[failed])
		}
		for range 2 {
			s.must(s.books.AddNotification(s.ctx, s.notification(nil))) // of no delivery: each shows
		}
		if got := s.page(nil); len(got) != 3 {
			t.Errorf("%d notifications, want 3: %+v", len(got), got)
		}
	})
}

func TestNoticesComeWithTheSettlement(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a", "b")
		claimed := s.claim(post, 2)
		refused := s.settlement(claimed[0], dispatch.OutcomeRefused, dispatch.Failed)
		refused.Notices = []dispatch.Notification{s.notification(&claimed[0].Delivery.ID), s.notification(&claimed[0].Delivery.ID), s.notification(nil)}
		broken := s.settlement(claimed[1], dispatch.OutcomeRefused, "GONE") // not in the table
		broken.Notices = []dispatch.Notification{s.notification(nil)}
		s.books.Settle(s.ctx, []dispatch.Settlement{refused, broken})
		if got := s.page(nil); len(got) != 2 {
			t.Errorf("%d notifications, want the two of the settlement that was written", len(got))
		}
		s.wantFenced(refused)
		if got := s.page(nil); len(got) != 2 {
			t.Errorf("a fenced settlement put notifications on the page: %d", len(got))
		}
	})
}

func TestMarkNotificationsRead(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		for range 5 {
			s.must(s.books.AddNotification(s.ctx, s.notification(nil)))
		}
		all, yes, no := s.page(nil), true, false
		s.pass(time.Minute)
		if n, err := s.books.MarkNotificationsRead(s.ctx, []string{all[0].ID, all[2].ID, "ntf_none"}, s.now); n != 3 || err != nil {
			t.Errorf("%d unread, %v; want 3", n, err)
		}
		read, at := s.page(&no), s.now
		if len(read) != 2 || read[0].ID != all[0].ID || !read[0].ReadAt.Equal(s.now) || len(s.page(&yes)) != 3 {
			t.Errorf("read: %+v, unread %d", read, len(s.page(&yes)))
		}
		s.pass(time.Minute)
		if n, err := s.books.MarkNotificationsRead(s.ctx, nil, s.now); n != 0 || err != nil {
			t.Errorf("%d unread, %v; want none", n, err)
		}
		if got := s.page(&no); len(got) != 5 || !got[0].ReadAt.Equal(at) {
			t.Errorf("%d read; the first was read at %v, want that time kept", len(got), got[0].ReadAt)
		}
		for unread, want := range map[*bool]int{nil: 5, &yes: 0, &no: 5} {
			if c, err := s.books.CountNotifications(s.ctx, unread, 100); err != nil || c != (dispatch.Count{Rows: want, Exact: true}) {
				t.Errorf("count %+v, %v; want %d", c, err, want)
			}
		}
		if c, err := s.books.CountNotifications(s.ctx, nil, 3); err != nil || c != (dispatch.Count{Rows: 3}) {
			t.Errorf("count up to 3: %+v, %v", c, err)
		}
	})
}
