"""What every service stands on: the public language (`schema`) and the plumbing (`kit`)."""
