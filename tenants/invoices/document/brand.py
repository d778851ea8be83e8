"""The workspace's brand as the document shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.invoices.document.values import DocumentBrand, DocumentLogo

if TYPE_CHECKING:
    from tenants.workspaces.profile import LogoRef, WorkspaceProfile

# In CSS pixels; a logo of any size is scaled to this height, or to the width if it is wider.
_LOGO_HEIGHT: Final = 40
_LOGO_MAX_WIDTH: Final = 240


def build_document_brand(profile: WorkspaceProfile, logo_url: str) -> DocumentBrand:
    """Return the workspace's name and its logo, which is at `logo_url`."""
    if profile.logo is None:
        return DocumentBrand(profile.name)
    return DocumentBrand(profile.name, DocumentLogo(logo_url, *fit_logo(profile.logo)))


def fit_logo(logo: LogoRef) -> tuple[int, int]:
    """Return width and height of a logo as it is shown, in CSS pixels."""
    if logo.width * _LOGO_HEIGHT <= _LOGO_MAX_WIDTH * logo.height:
        return max(1, round(logo.width * _LOGO_HEIGHT / logo.height)), _LOGO_HEIGHT
    return _LOGO_MAX_WIDTH, max(1, round(logo.height * _LOGO_MAX_WIDTH / logo.width))
