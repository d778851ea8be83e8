"""Describes reasons for tax exemption: the codes of the European list (VATEX) as sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kernel.language import Language
    from tenants.invoices.content import Exemption

# VATEX-EU-132-1A is Article 132(1)(a) of Council Directive 2006/112/EC; some name no paragraph or no letter.
_ARTICLE: Final = re.compile(r"VATEX-EU-([0-9]{2,3})(?:-([0-9])?([A-Z]{1,2})?)?")


def describe_exemption(exemption: Exemption, language: Language) -> str:
    """Return the reason as the seller gave it, else what its code stands for; an unknown code is quoted."""
    if exemption.reason:
        return exemption.reason
    code = exemption.reason_code.strip().upper()
    _ = language.gettext
    reasons = {
        "VATEX-EU-AE": _("Reverse charge: the recipient owes the VAT."),
        "VATEX-EU-D": _("Travel agents: VAT on the margin."),
        "VATEX-EU-F": _("Second-hand goods: VAT on the margin."),
        "VATEX-EU-G": _("Export outside the EU, exempt from VAT."),
        "VATEX-EU-I": _("Works of art: VAT on the margin."),
        "VATEX-EU-IC": _("Intra-Community supply, exempt from VAT."),
        "VATEX-EU-J": _("Collectors’ items and antiques: VAT on the margin."),
        "VATEX-EU-O": _("Not subject to VAT."),
    }
    article = _ARTICLE.fullmatch(code)
    if article is not None:
        sentence = _("Exempt from VAT under Article %(article)s of Directive 2006/112/EC.")
        return sentence % {"article": _cite_article(article)}
    if code in reasons:
        return reasons[code]
    return _("Exempt from VAT (%(code)s).") % {"code": exemption.reason_code} if code else ""


def _cite_article(article: re.Match[str]) -> str:
    number, paragraph, letter = article.groups()
    return number + "".join(f"({part.lower()})" for part in (paragraph, letter) if part)
