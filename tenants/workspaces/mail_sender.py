"""The workspace as its mails show it: its brand, its host and where answers go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kernel.mail import MailBrand, MailLogo, adapt_brand_colour
from tenants.workspaces.profile import LogoRef, WorkspaceProfile

#: Returns the absolute URL of a host and a path: `Settings.build_public_url`.
BuildUrl = Callable[[str, str], str]

# In CSS pixels; a logo of any size is scaled to this height, or to the width if it is wider.
_LOGO_HEIGHT: Final = 40
_LOGO_MAX_WIDTH: Final = 220


@dataclass(frozen=True, slots=True)
class MailSender:
    """What all mails of a workspace have in common."""

    profile: WorkspaceProfile
    host: str
    """That of links in mails."""
    email: str
    """Where answers go and new comments are reported; may be empty."""
    brand: MailBrand
    build_url: BuildUrl

    def url(self, path: str) -> str:
        """Return the absolute URL of a path on the workspace's host."""
        return self.build_url(self.host, path)


def build_mail_sender(profile: WorkspaceProfile, *, host: str, email: str, build_url: BuildUrl) -> MailSender:
    """Return the sender of a workspace's mails."""
    brand = MailBrand(
        name=profile.name,
        url=build_url(host, "/"),
        accent=adapt_brand_colour(profile.brand_colour),
        logo=None if profile.logo is None else _build_logo(profile.logo, host, build_url),
        contact_line=profile.contact_line,
    )
    return MailSender(profile, host, email, brand, build_url)


def _build_logo(logo: LogoRef, host: str, build_url: BuildUrl) -> MailLogo:
    url = build_url(host, f"/brand/{logo.sha256}.png")
    if logo.width * _LOGO_HEIGHT <= _LOGO_MAX_WIDTH * logo.height:
        return MailLogo(url, max(1, logo.width * _LOGO_HEIGHT // logo.height), _LOGO_HEIGHT)
    return MailLogo(url, _LOGO_MAX_WIDTH, max(1, logo.height * _LOGO_MAX_WIDTH // logo.width))
