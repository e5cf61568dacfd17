-- +goose Up

-- What is out, by the order that it holds up: a claim must not look through all that waits behind it.
CREATE INDEX deliveries_out ON deliveries (order_key) WHERE leased_until IS NOT NULL;
