"""Answers that refuse a request, in the form of each version of the API."""

from typing import Any


class ApiRefusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def refuse_v1(
    status: int,
    code: str | None,
    message: str,
    *,
    param: str | None = None,
    kind: str = "invalid_request_error",
) -> ApiRefusal:
    """Return the refusal of a v1 route."""
    fields = {"type": kind, "code": code, "message": message, "param": param}
    return ApiRefusal(status, {"error": {name: value for name, value in fields.items() if value is not None}})


def refuse_v2(status: int, code: str, message: str) -> ApiRefusal:
    """Return the refusal of a v2 route."""
    return ApiRefusal(status, {"error": {"type": "invalid_request_error", "code": code, "message": message}})


def refuse_oauth(code: str, message: str) -> ApiRefusal:
    """Return the refusal of an OAuth route (RFC 6749)."""
    return ApiRefusal(401 if code == "invalid_client" else 400, {"error": code, "error_description": message})


def refuse_account(account_id: str) -> ApiRefusal:
    """Return the refusal of an account that the platform has no access to, or that does not exist."""
    message = (
        f"The provided key 'sk_test_***' does not have access to account '{account_id}' (or that account does not "
        "exist). Application access may have been revoked."
    )
    return refuse_v1(403, "account_invalid", message)
