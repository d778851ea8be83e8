"""The workspace's brand as the document wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.invoices.document.values import DocumentBrand, DocumentLogo

if TYPE_CHECKING:
    from tenants.workspaces.profile import LogoRef, WorkspaceProfile

# A logo may be any size in pixels; on the page and the paper it is shown as a mark of this height.
_LOGO_HEIGHT: Final = 40
_LOGO_WIDEST: Final = 240


def build_document_brand(profile: WorkspaceProfile, logo_url: str) -> DocumentBrand:
    """Return the workspace's name and its logo, which is at `logo_url`."""
    if profile.logo is None:
        return DocumentBrand(profile.name)
    return DocumentBrand(profile.name, DocumentLogo(logo_url, *fit_logo(profile.logo)))


def fit_logo(logo: LogoRef) -> tuple[int, int]:
    """Return width and height of a logo as it is shown, in CSS pixels."""
    # By the tighter of the two bounds; integers, because a pixel more or less is what rounding may do.
    if logo.width * _LOGO_HEIGHT <= _LOGO_WIDEST * logo.height:
        return max(1, round(logo.width * _LOGO_HEIGHT / logo.height)), _LOGO_HEIGHT
    return _LOGO_WIDEST, max(1, round(logo.height * _LOGO_WIDEST / logo.width))
