"""OAuth: a business lets the platform into an account that it has already."""

import secrets
from collections.abc import Mapping
from typing import Any

from ops.sandbox.stripe.accounts import Accounts
from ops.sandbox.stripe.refusals import refuse_oauth


class OAuthCodes:
    """The codes that stand for an account until the platform exchanges them."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._codes: dict[str, str] = {}

    def authorise(self, account_id: str) -> str:
        """Return the code by which the platform gets access to the account; it works once."""
        code = f"ac_{secrets.token_urlsafe(18)}"
        self._codes[code] = account_id
        return code

    def exchange(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Answer POST /oauth/token."""
        if parameters.get("grant_type") != "authorization_code":
            raise refuse_oauth("unsupported_grant_type", "Only authorization_code is supported.")
        account_id = self._codes.pop(parameters.get("code", ""), None)
        if account_id is None:
            raise refuse_oauth("invalid_grant", "The code does not exist, or was used before.")
        self._accounts.authorise(account_id)
        return {
            "access_token": f"sk_test_{secrets.token_hex(12)}",
            "livemode": False,
            "refresh_token": f"rt_{secrets.token_hex(12)}",
            "scope": "read_write",
            "stripe_publishable_key": f"pk_test_{secrets.token_hex(12)}",
            "stripe_user_id": account_id,
            "token_type": "bearer",
        }

    def deauthorise(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Answer POST /oauth/deauthorize."""
        account_id = parameters.get("stripe_user_id", "")
        if self._accounts.explain_refusal(account_id) is not None:
            raise refuse_oauth("invalid_client", f"The platform is not connected to '{account_id}'.")
        self._accounts.deauthorise(account_id)
        return {"stripe_user_id": account_id}
