"""How are people read from files? Every line is checked before anybody is made, and all that is wrong is told.

A file is CSV with a header, or JSON Lines; UTF-8, one person a line, and no line spans two. The fields are those of
`NewPerson`, whose `email` alone has to be there. Empty cells and nulls leave a field out; empty lines say nothing.
"""

from services.auth.user_files.person import NewPerson
from services.auth.user_files.read import Flaw, UserFile, UserLine, read_users
from services.auth.user_files.rows import MAX_LINE_BYTES, FileFormat, UserFileError, format_of

__all__ = [
    "MAX_LINE_BYTES",
    "FileFormat",
    "Flaw",
    "NewPerson",
    "UserFile",
    "UserFileError",
    "UserLine",
    "format_of",
    "read_users",
]
