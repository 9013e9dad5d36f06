"""Webhooks: events of an account, and the endpoints that are told of them."""
