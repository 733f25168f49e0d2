"""What can be read? Who somebody is, and what a password is checked against."""
