"""How is Fillstream deployed? Gateway, containers, databases, metrics."""
