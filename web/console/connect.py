"""The pages to which Stripe leads a business back that has set up its account there. They need no session yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.actor import Actor, ActorKind
from kernel.errors import Missing
from tenants.connect.onboarding import REFRESH_PATH, RETURN_PATH, complete_onboarding
from tenants.connect.values import CardCapability, ConnectionState
from web.http.context import GatewayRequest
from web.http.templates import load_words
from web.http.templates import mark_text as _

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.seals import Sealer
    from kernel.store import Database
    from tenants.connect.client import StripeApi
    from tenants.connect.values import Connection
    from web.http.templates import Templates

# Who comes back has shown nothing but the link.
_ACTOR: Final = Actor(ActorKind.LINK_HOLDER, "stripe-onboarding")

_CONNECTED: Final = (
    _("Your account at Stripe is connected"),
    _("Invoices can be paid by card now. You can close this page."),
)
_BEING_CHECKED: Final = (
    _("Stripe is checking your account"),
    _("As soon as Stripe allows card payments, your invoices offer them. You can close this page."),
)
_NOT_FINISHED: Final = (
    _("Stripe still needs something from you"),
    _("Start the connection to Stripe again: it goes on where you stopped."),
)
_EXPIRED: Final = (
    _("This link to Stripe has expired"),
    _("Start the connection to Stripe again: it goes on where you stopped."),
)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """What `message.html.jinja` prints."""

    language: str
    direction: str
    title: str
    text: str


class ConnectPages:
    """Ends the setting up of an account."""

    def __init__(
        self, database: Database, api: StripeApi | None, *, sealer: Sealer, clock: Clock, templates: Templates
    ) -> None:
        """Take no `api` where there is no key of Stripe: then there is no such page."""
        self._database = database
        self._api = api
        self._sealer = sealer
        self._clock = clock
        self._templates = templates

    async def complete(self, token: str) -> tuple[str, str]:
        """Use up the link, and return the title and text of the page; Missing("connect.link_not_found")."""
        if self._api is None:
            raise Missing(
                "connect.link_not_found", "This link from Stripe does not work, or was used before."
            )
        connection = await complete_onboarding(
            self._database, self._api, token, actor=_ACTOR, sealer=self._sealer, clock=self._clock
        )
        return _choose_texts(connection)

    def render(self, request: GatewayRequest, texts: tuple[str, str]) -> Response[bytes]:
        """Return the page in the client's language."""
        words = load_words(request.language)
        title, text = map(words.gettext, texts)
        page = MessagePage(request.language, words.direction, title, text)
        return Response(
            self._templates.render("message.html.jinja", words, page).encode(),
            media_type=MediaType.HTML,
            headers={"vary": "accept-language, cookie"},
        )


@get(f"{RETURN_PATH}{{token:str}}")
async def show_return(
    request: GatewayRequest, token: FromPath[str], connect_pages: NamedDependency[ConnectPages]
) -> Response[bytes]:
    """Show whether the account takes cards now; the link works once."""
    return connect_pages.render(request, await connect_pages.complete(token))


@get(REFRESH_PATH)
async def show_expired(
    request: GatewayRequest, connect_pages: NamedDependency[ConnectPages]
) -> Response[bytes]:
    """Show what to do about a link to Stripe's pages that has expired or was used; makes no new one for strangers."""
    return connect_pages.render(request, _EXPIRED)


def _choose_texts(connection: Connection) -> tuple[str, str]:
    if connection.state is ConnectionState.ACTIVE:
        takes_cards = connection.card_capability is CardCapability.ACTIVE
        return _CONNECTED if takes_cards else _BEING_CHECKED
    return _NOT_FINISHED if connection.requirements else _BEING_CHECKED
