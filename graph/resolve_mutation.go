package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (m mutations) RaiseAlert(ctx context.Context, in dispatch.RaiseAlertInput) (*gen.RaiseAlertPayload, error) {
	r, err := m.desk.Raise(ctx, callerOf(ctx), in)
	return raisedPayload(r, err)
}

func (m mutations) RaiseAlerts(ctx context.Context, in gen.RaiseAlertsInput) (*gen.RaiseAlertsPayload, error) {
	all, err := m.desk.RaiseAll(ctx, callerOf(ctx), in.Alerts)
	problems, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	out := &gen.RaiseAlertsPayload{Results: make([]gen.RaiseAlertPayload, len(all)), UserErrors: problems}
	for i, r := range all {
		result, err := raisedPayload(r, r.Err, inAlert(i)...)
		if err != nil { // the others stand, so only this one's place is told
			path := append(graphql.GetPath(ctx), ast.PathName("results"), ast.PathIndex(i))
			graphql.AddError(ctx, gqlerror.WrapPath(path, err))
			out.Results[i].UserErrors = []dispatch.UserError{}
			continue
		}
		out.Results[i] = *result
		out.UserErrors = append(out.UserErrors, result.UserErrors...)
		if result.AlertID != nil {
			out.Accepted++
		}
	}
	out.Rejected = len(in.Alerts) - out.Accepted
	return out, nil
}

func raisedPayload(r dispatch.Raised, err error, prefix ...string) (*gen.RaiseAlertPayload, error) {
	problems, err := userErrors(err, prefix...)
	if err != nil {
		return nil, err
	}
	out := &gen.RaiseAlertPayload{
		TicketID: r.TicketID, TicketNumber: r.TicketNumber, TicketStatus: r.TicketStatus,
		DeliveryCount: len(r.DeliveryIDs), IsRepeat: r.IsRepeat, UserErrors: problems,
	}
	if r.AlertID != "" && len(problems) == 0 {
		out.AlertID = &r.AlertID
	}
	return out, nil
}

func (m mutations) AcknowledgeTickets(ctx context.Context, in dispatch.TicketsInput) (*gen.TicketsPayload, error) {
	return ticketsPayload(m.desk.AcknowledgeTickets(ctx, callerOf(ctx), in))
}

func (m mutations) CloseTickets(ctx context.Context, in dispatch.TicketsInput) (*gen.TicketsPayload, error) {
	return ticketsPayload(m.desk.CloseTickets(ctx, callerOf(ctx), in))
}

func (m mutations) ReopenTickets(ctx context.Context, in dispatch.TicketsInput) (*gen.TicketsPayload, error) {
	return ticketsPayload(m.desk.ReopenTickets(ctx, callerOf(ctx), in))
}

func (m mutations) AssignTickets(ctx context.Context, in dispatch.AssignTicketsInput) (*gen.TicketsPayload, error) {
	return ticketsPayload(m.desk.AssignTickets(ctx, callerOf(ctx), in))
}

func (m mutations) CommentOnTicket(ctx context.Context, in dispatch.CommentOnTicketInput) (*gen.TicketsPayload, error) {
	t, err := m.desk.CommentOnTicket(ctx, callerOf(ctx), in)
	if err != nil {
		return ticketsPayload(nil, err)
	}
	return ticketsPayload([]dispatch.Ticket{t}, nil)
}

func (m mutations) RefreshTicket(ctx context.Context, in gen.RefreshTicketInput) (*gen.TicketsPayload, error) {
	t, err := m.desk.RefreshTicket(ctx, in.ID)
	if t.ID == "" {
		return ticketsPayload(nil, err)
	}
	return ticketsPayload([]dispatch.Ticket{t}, err)
}

func ticketsPayload(tickets []dispatch.Ticket, err error) (*gen.TicketsPayload, error) {
	problems, err := userErrors(err)
	return opt(gen.TicketsPayload{Tickets: tickets, UserErrors: problems}, err)
}

func (m mutations) MarkNotificationsRead(ctx context.Context, in gen.MarkNotificationsReadInput) (*gen.MarkNotificationsReadPayload, error) {
	unread, err := m.desk.MarkNotificationsRead(ctx, callerOf(ctx), in.Ids.Value())
	problems, err := userErrors(err)
	return opt(gen.MarkNotificationsReadPayload{UnreadCount: unread, UserErrors: problems}, err)
}

func (m mutations) RetryDeliveries(ctx context.Context, in dispatch.RetryDeliveriesInput) (*gen.DeliveriesPayload, error) {
	return deliveriesPayload(m.desk.RetryDeliveries(ctx, callerOf(ctx), in))
}

func (m mutations) CancelDeliveries(ctx context.Context, in dispatch.CancelDeliveriesInput) (*gen.DeliveriesPayload, error) {
	return deliveriesPayload(m.desk.CancelDeliveries(ctx, callerOf(ctx), in))
}

func deliveriesPayload(deliveries []dispatch.Delivery, err error) (*gen.DeliveriesPayload, error) {
	problems, err := userErrors(err)
	return opt(gen.DeliveriesPayload{Deliveries: deliveries, Affected: len(deliveries), UserErrors: problems}, err)
}

func (m mutations) DeleteBehaviorModel(ctx context.Context, in dispatch.DeleteInput) (*gen.DeletePayload, error) {
	usedBy, err := m.desk.DeleteBehaviorModel(ctx, callerOf(ctx), in)
	return m.deletePayload(ctx, in.ID, usedBy, err)
}

func (m mutations) DeleteAction(ctx context.Context, in dispatch.DeleteInput) (*gen.DeletePayload, error) {
	usedBy, err := m.desk.DeleteAction(ctx, callerOf(ctx), in)
	return m.deletePayload(ctx, in.ID, usedBy, err)
}

func (m mutations) DeleteAPIConfig(ctx context.Context, in dispatch.DeleteInput) (*gen.DeletePayload, error) {
	usedBy, err := m.desk.DeleteAPIConfig(ctx, callerOf(ctx), in)
	return m.deletePayload(ctx, in.ID, usedBy, err)
}

func (m mutations) DeleteActor(ctx context.Context, in dispatch.DeleteInput) (*gen.DeletePayload, error) {
	usedBy, err := m.desk.DeleteActor(ctx, callerOf(ctx), in)
	return m.deletePayload(ctx, in.ID, usedBy, err)
}

func (m mutations) deletePayload(ctx context.Context, id string, usedBy []string, err error) (*gen.DeletePayload, error) {
	done, problems, err := changed(id, err)
	if err != nil {
		return nil, err
	}
	out := &gen.DeletePayload{DeletedID: done, UsedBy: []page.Node{}, UserErrors: problems}
	for _, user := range usedBy {
		thing, err := m.configured(ctx, user)
		if err != nil {
			return nil, err
		}
		if thing != nil {
			out.UsedBy = append(out.UsedBy, thing)
		}
	}
	return out, nil
}

func (m mutations) TestActor(ctx context.Context, in dispatch.TestActorInput) (*gen.TestPayload, error) {
	return testPayload(m.desk.TestActor(ctx, callerOf(ctx), in))
}

func (m mutations) TestAPIConfig(ctx context.Context, in dispatch.TestAPIConfigInput) (*gen.TestPayload, error) {
	return testPayload(m.desk.TestAPIConfig(ctx, callerOf(ctx), in))
}

func testPayload(r dispatch.TestResult, err error) (*gen.TestPayload, error) {
	problems, fault := userErrors(err)
	if err != nil && fault == nil {
		r.Message = err.Error()
	}
	return opt(gen.TestPayload{Ok: r.OK, Message: r.Message, Attempt: r.Attempt, UserErrors: problems}, fault)
}

func (m mutations) CreateAPIToken(ctx context.Context, in dispatch.CreateTokenInput) (*gen.CreateAPITokenPayload, error) {
	token, text, err := m.desk.CreateToken(ctx, callerOf(ctx), in)
	made, problems, err := changed(token, err)
	out := gen.CreateAPITokenPayload{APIToken: made, UserErrors: problems}
	if text != "" {
		out.Token = &text
	}
	return opt(out, err)
}

func (m mutations) RevokeAPIToken(ctx context.Context, in gen.RevokeAPITokenInput) (*gen.APITokenPayload, error) {
	token, problems, err := changed(m.desk.RevokeToken(ctx, callerOf(ctx), in.ID))
	return opt(gen.APITokenPayload{APIToken: token, UserErrors: problems}, err)
}
