"""How do services speak HTTP? One app factory; problem details, pages, idempotency keys and limits for all."""
