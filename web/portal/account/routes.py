"""The routes of these pages and what they depend on: the portal takes them as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from litestar import Router

from web.http.surface import PathLimit, build_limit
from web.portal.account.authenticator import Enrolments, confirm_enrolment, show_enrolment
from web.portal.account.fresh_links import FreshLinks, send_fresh_links
from web.portal.account.home import Home, show_home
from web.portal.account.mute import Mutes, mute_thread, show_mute, unmute_thread
from web.portal.account.pages import AccountPages
from web.portal.account.security import (
    Security,
    end_sessions,
    remove_authenticator,
    replace_recovery_codes,
    show_security,
)
from web.portal.account.sign_in import (
    SignIn,
    send_address,
    send_authenticator_code,
    send_code,
    show_sign_in,
    sign_out,
)
from web.portal.proof_counts import ProofCounts

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from web.http.surface import Services

# Pages that only show something.
PAGES: Final = (show_home, show_security)
# Forms that change something, with the pages at the same path: the guard of all checks the token and the origin of what
# is posted.
FORMS: Final = (
    show_sign_in,
    show_enrolment,
    send_address,
    send_code,
    send_authenticator_code,
    sign_out,
    end_sessions,
    remove_authenticator,
    replace_recovery_codes,
    confirm_enrolment,
)
# The token in the path of a mute link, and the address of a request for links, are all that these need: see there.
FORMS_WITHOUT_TOKEN: Final = (send_fresh_links, show_mute, mute_thread, unmute_thread)
_LIMITED: Final = re.compile(r"/(sign-in|authenticator|security|links)(/.*)?")


def build_account_handlers(services: Services) -> list[ControllerRouterHandler]:
    """Return the handlers; each form has the guard that it needs."""
    return [
        *PAGES,
        Router("/", route_handlers=[*FORMS], guards=[services.forms.make_guard()]),
        Router("/", route_handlers=[*FORMS_WITHOUT_TOKEN], guards=[services.forms.make_origin_guard()]),
    ]


def build_account_dependencies(services: Services) -> dict[str, object]:
    """Return what the handlers depend on, by name."""
    pages = AccountPages(
        database=services.database,
        sealer=services.sealer,
        clock=services.clock,
        templates=services.templates,
        forms=services.forms,
        proof_counts=ProofCounts(services.metrics),
    )
    return {
        "sign_in": SignIn(pages),
        "home": Home(pages),
        "security": Security(pages),
        "enrolments": Enrolments(pages),
        "mutes": Mutes(pages),
        "fresh_links": FreshLinks(services.database, services.templates),
    }


def build_account_limit(services: Services) -> PathLimit:
    """Return the limit of the pages that prove something or have mail sent."""
    return PathLimit(_LIMITED, build_limit(services, "sign_in", services.settings.sign_in_limit_per_minute))
