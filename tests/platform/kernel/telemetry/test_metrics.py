"""Every series has a unit, help and closed labels."""

from kernel.telemetry.metrics import Metrics

UNITS = ("_seconds", "_count", "_connections", "_bytes")


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
    assert names == http | {"kind", "outcome", "queue", "schedule", "reason", "purpose", "code", "from"} | {
        "scope",
        "found_by",
    }


def test_two_processes_in_one_test_do_not_share_series() -> None:
    one, other = Metrics(), Metrics()
    one.links_not_found.labels("malformed").inc()
    assert one.registry.get_sample_value("portal_links_not_found_total", {"form": "malformed"}) == 1
    assert other.registry.get_sample_value("portal_links_not_found_total", {"form": "malformed"}) is None
