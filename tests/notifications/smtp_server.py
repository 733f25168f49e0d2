"""A mail server as RFC 5321 describes one, on a free loopback port; on command it refuses, delays, or hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class MailServer:
    """Takes mails; `answers` are given to the next recipients instead of a welcome."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    hangs_up: bool = False
    refuses_senders: bool = False
    farewell: str = "221 bye"
    extension: str = "SIZE"
    recipients: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com\r\n")
        while line := await reader.readline():
            if self.hangs_up:
                return
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self._take(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                writer.write(f"{self.farewell}\r\n".encode())
                await writer.drain()
                return
            elif verb == b"MAIL" and self.refuses_senders:
                writer.write(b"530 who are you\r\n")
            elif verb == b"RCPT" and self.answers:
                writer.write(f"{self.answers.pop(0)}\r\n".encode())
            elif verb == b"EHLO":
                writer.write(f"250-mail.example.com\r\n250 {self.extension}\r\n".encode())
            else:
                if verb == b"RCPT":
                    self.recipients.append(line.decode().partition(":")[2].strip())
                writer.write(b"250 ok\r\n")

    def _take(self, data: bytes) -> None:
        message = message_from_bytes(data.removesuffix(b".\r\n"), policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)


@asynccontextmanager
async def running_mail_server() -> AsyncIterator[MailServer]:
    """A server at work."""
    mail_server = MailServer()
    server = await asyncio.start_server(mail_server.serve, "127.0.0.1", 0)
    mail_server.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mail_server
