"""Rounds money to the smallest amount of its currency, after ISO 4217's list of minor units.

What the list does not know has no cents that could be assumed: crypto currencies, and whatever else is named by a code,
are kept to the 8 decimals of the ledger, so that no fee is lost.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from libs.schema.values import Currency

_LEDGER_DIGITS = 8
_DIGITS_BY_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
        "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR "
        "MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK "
        "SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD "
        "XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _DIGITS_BY_CODES.items() for code in codes.split()}


def minor_unit(currency: Currency) -> Decimal:
    """The smallest amount that is paid: 0.01 USD, 1 JPY, 0.001 KWD, 0.00000001 BTC."""
    return Decimal(1).scaleb(-_DIGITS.get(currency, _LEDGER_DIGITS))


def round_money(amount: Decimal, currency: Currency) -> Decimal:
    """`amount` rounded half-even to the currency's minor unit, the house's rounding for money; never minus zero."""
    rounded = amount.quantize(minor_unit(currency), ROUND_HALF_EVEN)
    return rounded or abs(rounded)
