"""What happens? People register and log in, sessions go on and end, signing keys follow each other."""
