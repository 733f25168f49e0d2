"""What can be read? Who somebody is, what they said of themselves, and what a password is checked against."""
