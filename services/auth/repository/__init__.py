"""What is the SQL? Users by address, sessions by their secret's hash, keys that can still be checked with, rows of each person."""
