"""Which events are there? Every class, by hand, so that importing one module is enough to know them all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from libs.schema.audit import AuditHeadPublished, SecurityActed
from libs.schema.auth import (
    AccessRevoked,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    EmailVerified,
    KycExpired,
    KycRejected,
    KycSubmitted,
    KycVerified,
    KycWithdrawn,
    MailRequested,
    OnboardingCompleted,
    PasswordChanged,
    PasswordResetRequested,
    RiskSettingsChanged,
    RoleChanged,
    SessionCompromised,
    SessionOpened,
    SessionRevoked,
    SupportEntered,
    UserChanged,
    UserDeactivated,
    UserDeleted,
    UserLocked,
    UserReactivated,
    UserRegistered,
    UserRestored,
    UserUnlocked,
)
from libs.schema.billing import EntitlementsChanged, SubscriptionStarted
from libs.schema.event import DomainEvent
from libs.schema.marketdata import BarClosed, BarCorrected, InstrumentListed
from libs.schema.notifications import NotificationDelivered
from libs.schema.orders import AccountOpened, OrderAccepted, OrderCancelled, OrderDenied, OrderExpired, OrderFilled
from libs.schema.portfolio import PortfolioValued, PositionChanged
from libs.schema.privacy import (
    DataExportAnswered,
    DataExportPart,
    DataExportRequested,
    ErasureCancelled,
    ErasureRequested,
    PersonalDataErased,
    UserErased,
)
from libs.schema.signals import BacktestCompleted, SignalGenerated, StrategyChanged
from libs.schema.workspaces import (
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    OwnershipTransferred,
    WorkspaceCreated,
    WorkspacePolicyChanged,
    WorkspaceRenamed,
)

EVENTS: tuple[type[DomainEvent], ...] = (
    UserRegistered,
    UserChanged,
    EmailVerified,
    UserLocked,
    UserUnlocked,
    UserDeactivated,
    UserReactivated,
    UserDeleted,
    UserRestored,
    RoleChanged,
    PasswordChanged,
    PasswordResetRequested,
    SessionOpened,
    SessionRevoked,
    SessionCompromised,
    AccessRevoked,
    SupportEntered,
    MailRequested,
    SecurityActed,
    AuditHeadPublished,
    RiskSettingsChanged,
    KycSubmitted,
    KycVerified,
    KycRejected,
    KycExpired,
    KycWithdrawn,
    OnboardingCompleted,
    WorkspaceCreated,
    WorkspaceRenamed,
    WorkspacePolicyChanged,
    MemberAdded,
    MemberRoleChanged,
    MemberRemoved,
    OwnershipTransferred,
    ApiKeyCreated,
    ApiKeyRotated,
    ApiKeyRevoked,
    DataExportRequested,
    DataExportPart,
    DataExportAnswered,
    ErasureRequested,
    ErasureCancelled,
    UserErased,
    PersonalDataErased,
    SubscriptionStarted,
    EntitlementsChanged,
    InstrumentListed,
    BarClosed,
    BarCorrected,
    StrategyChanged,
    SignalGenerated,
    BacktestCompleted,
    AccountOpened,
    OrderAccepted,
    OrderDenied,
    OrderFilled,
    OrderCancelled,
    OrderExpired,
    PositionChanged,
    PortfolioValued,
    NotificationDelivered,
)

BY_TYPE: Mapping[str, type[DomainEvent]] = MappingProxyType({event.type(): event for event in EVENTS})
FAMILIES: frozenset[str] = frozenset(event.family() for event in EVENTS)
TOPICS: tuple[str, ...] = tuple(sorted({event.topic for event in EVENTS}))
