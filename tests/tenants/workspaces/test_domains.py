"""Host names: what can be one, and the legal steps of a domain's life."""

from __future__ import annotations

import itertools

import pytest

from kernel.errors import Conflict, Invalid
from tenants.workspaces.domains import (
    RESERVED_LABELS,
    TRANSITIONS,
    DomainState,
    check_custom_host,
    check_slug,
    check_transition,
    check_workspace_host,
    parse_host,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("billing.acme.com", "billing.acme.com"),
        (" Billing.ACME.com. ", "billing.acme.com"),
        ("rechnung.müller.de", "rechnung.xn--mller-kva.de"),
        ("straße.example", "xn--strae-oqa.example"),
        ("a-b.c1.example", "a-b.c1.example"),
    ],
)
def test_a_host_has_one_spelling(written: str, meant: str) -> None:
    assert parse_host(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "localhost",
        "127.0.0.1",
        "1.2.3.0x7f",
        "[::1]",
        "acme.com:443",
        "https://acme.com",
        "acme..com",
        "-acme.com",
        "acme-.com",
        "a_b.com",
        "acme.com/x",
        "a" * 64 + ".com",
        ".".join(["abcdefgh"] * 29),
        "☃️‍.\u202ecom",
    ],
)
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_host(written)
    assert caught.value.code == "domain.name"


def test_reserved_labels_are_no_slugs() -> None:
    for label in RESERVED_LABELS:
        with pytest.raises(Invalid):
            check_slug(label)
    assert check_slug("acme-2") == "acme-2"


def test_a_name_that_only_ends_alike_is_foreign() -> None:
    assert check_custom_host("notportal.example", "portal.example", ()) == "notportal.example"
    for ours in ("portal.example", "x.portal.example"):
        with pytest.raises(Invalid) as caught:
            check_custom_host(ours, "portal.example", ())
        assert caught.value.code == "domain.reserved"


def test_the_hosts_of_surfaces_and_what_lies_beneath_them_are_not_foreign() -> None:
    reserved = {"console.vendor.example", "api.portal.example"}
    for ours in ("console.vendor.example", "x.console.vendor.example"):
        with pytest.raises(Invalid) as caught:
            check_custom_host(ours, "portal.example", reserved)
        assert caught.value.code == "domain.reserved"
        assert "console.vendor.example" in caught.value.message
    for foreign in ("vendor.example", "xconsole.vendor.example", "api.vendor.example"):
        assert check_custom_host(foreign, "portal.example", reserved) == foreign


@pytest.mark.parametrize("label", ["console", "api", "hooks"])
def test_the_usual_labels_of_surfaces_are_no_slugs(label: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_slug(label)
    assert caught.value.code == "workspace.slug_reserved"


def test_a_workspace_has_no_host_that_a_surface_has() -> None:
    assert check_workspace_host("acme", "portal.example", {"desk.portal.example"}) == "acme.portal.example"
    with pytest.raises(Invalid) as caught:
        check_workspace_host("desk", "portal.example", {"desk.portal.example"})
    assert (caught.value.code, caught.value.data) == ("workspace.slug_reserved", {"slug": "desk"})


def test_every_step_that_is_not_drawn_is_refused() -> None:
    for current, wanted in itertools.product(DomainState, repeat=2):
        if wanted in TRANSITIONS[current]:
            assert check_transition(current, wanted) is wanted
        else:
            with pytest.raises(Conflict, match=f"{current.value} cannot become {wanted.value}"):
                check_transition(current, wanted)
