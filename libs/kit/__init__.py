"""The plumbing of the house: database, outbox, relay, inbox, consumer, http, security. Knows no business word."""
