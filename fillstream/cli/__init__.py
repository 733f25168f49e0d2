"""What can a person do from the command line? A file for each group of commands; what they do is told elsewhere."""
