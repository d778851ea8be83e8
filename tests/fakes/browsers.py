"""A browser without a script: it keeps cookies, reads forms from pages, and sends them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

FORM = "application/x-www-form-urlencoded"


@dataclass
class Browser:
    """The browser of one person on one host."""

    visitor: Any
    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Load a page and keep it."""
        answer = await self.ask(path, **headers)
        self.page = answer.text
        return answer

    async def ask(self, path: str, **said: Any) -> httpx.Response:
        """Send a request with the cookies of this browser."""
        if self.cookies:
            said["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer: httpx.Response = await self.visitor.ask(path, said.pop("host", self.host), **said)
        for header in answer.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            value = rest.partition(";")[0]
            if "Max-Age=0" in header:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def form(self, action: str) -> dict[str, str]:
        """Return the fields of the first form of the page that is posted to `action`, as they are filled in."""
        found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', self.page, re.DOTALL)
        assert found is not None, f"the page has no form for {action}"
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', found[1]))
        areas = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', found[1], re.DOTALL)
        fields |= dict(areas)
        return {name: html.unescape(text) for name, text in fields.items()}

    async def send(
        self, action: str, *, of: str = "", as_json: bool = False, origin: str = "", **fields: str
    ) -> httpx.Response:
        """Fill in the form of the page that is posted to `of`, else to `action`, and send it to `action`."""
        filled = self.form(of or action) | fields
        said = {"accept": "application/json"} if as_json else {}
        answer = await self.ask(
            action,
            method="POST",
            content=urlencode(filled).encode(),
            content_type=FORM,
            origin=origin or f"http://{self.host}",
            **said,
        )
        if not as_json and '<form class="composer"' in answer.text:
            self.page = answer.text
        return answer

    def text(self, element_id: str) -> str:
        """Return the text of the element with an id."""
        found = re.search(rf'id="{element_id}"[^>]*>([^<]*)<', self.page)
        assert found is not None, f"the page has no element called {element_id}"
        return html.unescape(found[1])
