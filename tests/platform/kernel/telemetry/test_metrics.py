"""Every series has a unit, help and closed labels, and can be read from a port of its own."""

import urllib.request

import pytest

from kernel.telemetry.metrics import Metrics, serve

UNITS = ("_seconds", "_count", "_connections", "_bytes")


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


def test_every_series_of_ours_has_help_a_unit_and_no_workspace_label() -> None:
    ours = [each for each in Metrics().registry.collect() if each.name.startswith("portal_")]
    assert len(ours) >= 10
    for family in ours:
        assert len(family.documentation) > 20, family.name
        assert family.type == "counter" or family.name.endswith(UNITS), family.name
    metrics = Metrics()
    declared = [each for each in vars(metrics).values() if hasattr(each, "_labelnames")]
    assert len(declared) == len(ours)
    names = {name for each in declared for name in each._labelnames}
    http = {"method", "route", "status", "limit", "verdict", "source", "result", "form"}
    assert names == http | {"kind", "outcome", "queue", "schedule", "reason"}


def test_two_processes_in_one_test_do_not_share_series() -> None:
    one, other = Metrics(), Metrics()
    one.links_not_found.labels("malformed").inc()
    assert one.registry.get_sample_value("portal_links_not_found_total", {"form": "malformed"}) == 1
    assert other.registry.get_sample_value("portal_links_not_found_total", {"form": "malformed"}) is None


def test_what_happened_is_read_from_the_port() -> None:
    metrics = Metrics()
    metrics.request_seconds.labels("GET", "/i/{token}", "200").observe(0.004)
    metrics.rate_limit_verdicts.labels("page", "refused", "local").inc()
    held = 3
    metrics.watch_pool(lambda: held, lambda: 10, lambda: 2)
    server = serve(metrics.registry, "127.0.0.1", 0)
    try:
        text = read(server.port)
        assert (
            'portal_http_request_seconds_bucket{le="0.005",method="GET",route="/i/{token}",status="200"} 1.0'
            in text
        )
        assert (
            'portal_http_request_seconds_bucket{le="0.0025",method="GET",route="/i/{token}",status="200"} 0.0'
            in text
        )
        assert 'portal_rate_limit_verdicts_total{limit="page",source="local",verdict="refused"} 1.0' in text
        assert "portal_pool_in_use_connections 3.0" in text
        assert "portal_pool_size_connections 10.0" in text
        assert "portal_pool_waiting_count 2.0" in text
        assert "process_resident_memory_bytes" in text
        held = 0
        assert "portal_pool_in_use_connections 0.0" in read(server.port)
    finally:
        server.close()


def test_a_closed_port_is_free_again_and_a_taken_one_is_refused() -> None:
    first = serve(Metrics().registry, "127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        serve(Metrics().registry, "127.0.0.1", first.port)
    first.close()
    again = serve(Metrics().registry, "127.0.0.1", first.port)
    assert "portal_http" in read(again.port)
    again.close()
