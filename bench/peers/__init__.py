"""Whom are we measured against? The peers, each written as well as one can for its one job."""
