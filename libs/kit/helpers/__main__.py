"""`python -m libs.kit.helpers`, with one end of a socket pair as its standard input."""

from libs.kit.helpers.answering import answer

if __name__ == "__main__":
    answer()
