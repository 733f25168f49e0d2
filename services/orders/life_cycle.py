"""How does an order live? One table after FIX: what a report (ExecType) makes of a state (OrdStatus)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from libs.kit.errors import Conflict


class OrderStatus(StrEnum):
    """FIX tag 39, and one state of our own."""

    PENDING_NEW = "PENDING_NEW"
    DENIED = "DENIED"
    """Ours: our checks refused it, so that it never reached a venue."""
    REJECTED = "REJECTED"
    """The venue refused it."""
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class ExecType(StrEnum):
    """FIX tag 150: what is reported about an order. Trades are told apart by what they leave, as FIX 4.2 did."""

    DENIED = "DENIED"
    REJECTED = "REJECTED"
    NEW = "NEW"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


CLOSED = frozenset(
    {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}
)
"""Nothing more can happen to these."""

TRANSITIONS: Mapping[tuple[OrderStatus, ExecType], OrderStatus] = MappingProxyType(
    {
        (OrderStatus.PENDING_NEW, ExecType.DENIED): OrderStatus.DENIED,
        (OrderStatus.PENDING_NEW, ExecType.REJECTED): OrderStatus.REJECTED,
        (OrderStatus.PENDING_NEW, ExecType.NEW): OrderStatus.NEW,
        (OrderStatus.NEW, ExecType.PARTIAL_FILL): OrderStatus.PARTIALLY_FILLED,
        (OrderStatus.NEW, ExecType.FILL): OrderStatus.FILLED,
        (OrderStatus.NEW, ExecType.PENDING_CANCEL): OrderStatus.PENDING_CANCEL,
        # Unasked: the venue withdraws what the account can't pay.
        (OrderStatus.NEW, ExecType.CANCELED): OrderStatus.CANCELED,
        (OrderStatus.NEW, ExecType.EXPIRED): OrderStatus.EXPIRED,
        (OrderStatus.PARTIALLY_FILLED, ExecType.PARTIAL_FILL): OrderStatus.PARTIALLY_FILLED,
        (OrderStatus.PARTIALLY_FILLED, ExecType.FILL): OrderStatus.FILLED,
        (OrderStatus.PARTIALLY_FILLED, ExecType.PENDING_CANCEL): OrderStatus.PENDING_CANCEL,
        (OrderStatus.PARTIALLY_FILLED, ExecType.CANCELED): OrderStatus.CANCELED,
        (OrderStatus.PARTIALLY_FILLED, ExecType.EXPIRED): OrderStatus.EXPIRED,
        # A fill may cross the request on its way; what is left still waits for the answer to the request.
        (OrderStatus.PENDING_CANCEL, ExecType.PARTIAL_FILL): OrderStatus.PENDING_CANCEL,
        (OrderStatus.PENDING_CANCEL, ExecType.FILL): OrderStatus.FILLED,
        (OrderStatus.PENDING_CANCEL, ExecType.CANCELED): OrderStatus.CANCELED,
        # So may the end of the session.
        (OrderStatus.PENDING_CANCEL, ExecType.EXPIRED): OrderStatus.EXPIRED,
    }
)


class IllegalTransition(Conflict):
    """The order is in a state in which this can't happen to it."""

    slug = "illegal-transition"

    def __init__(self, status: OrderStatus, exec_type: ExecType) -> None:
        super().__init__(f"an order that is {status} can't become {exec_type}")


def after(status: OrderStatus, exec_type: ExecType) -> OrderStatus:
    """The state that the report leads to. Raises IllegalTransition."""
    try:
        return TRANSITIONS[status, exec_type]
    except KeyError:
        raise IllegalTransition(status, exec_type) from None
