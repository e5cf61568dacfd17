package graph

import (
	"context"
	"time"

	"tocsin/dispatch"
)

type stubStore struct{ dispatch.Store; token dispatch.APIToken; hash []byte }

func (s *stubStore) Configuration(context.Context) (*dispatch.Configuration, error) {
	return dispatch.NewConfiguration(1, dispatch.Nouns{}), nil
}
func (s *stubStore) Instance() string { return "stub" }
func (s *stubStore) LedgerHead(context.Context) (int64, error) { return 5, nil }
func (s *stubStore) TicketEventsAfter(ctx context.Context, seq int64, limit int) ([]dispatch.TicketEvent, error) {
	if seq < 5 { return []dispatch.TicketEvent{{Seq: 5, ID: "x", Kind: "OPENED", TicketID: "tkt", Status: "OPEN", Severity: "LOW"}}, nil }
	return nil, nil
}
func (s *stubStore) DeliveryEventsAfter(context.Context, int64, int) ([]dispatch.DeliveryEvent, error) { return nil, nil }
func (s *stubStore) ConfigurationEventsAfter(context.Context, int64, int) ([]dispatch.ConfigurationEvent, error) { return nil, nil }
func (s *stubStore) NotificationsAfter(context.Context, int64, int) ([]dispatch.Notification, error) { return nil, nil }
func (s *stubStore) TokenByHash(_ context.Context, h []byte) (dispatch.APIToken, error) {
	if string(h) != string(dispatch.HashToken("tocsin_test")) { return dispatch.APIToken{}, dispatch.ErrNotFound }
	return dispatch.APIToken{ID: "tok", Name: "audit", Scopes: []dispatch.Scope{"ADMIN"}, CreatedAt: time.Now()}, nil
}
