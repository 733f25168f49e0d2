"""What happens? People register, log in, tell of themselves, prove it and settle in; sessions go on and end, keys follow each other."""
