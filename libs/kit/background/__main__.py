"""`python -m libs.kit.background`, with one end of a socket pair as its standard input."""

from libs.kit.background.answering import answer

if __name__ == "__main__":
    answer()
