"""Notifications: messages to customers and operators, through one outbox."""
