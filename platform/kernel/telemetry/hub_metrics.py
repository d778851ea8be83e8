"""The metrics of the hub; a part of `Metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class HubMetrics:
    """What the hub counts."""

    registry: CollectorRegistry

    def _add_hub(self) -> None:
        self.hub_connections = Gauge(
            "portal_hub_connections_count",
            "Websockets that are open now.",
            registry=self.registry,
        )
        self.hub_closes = Counter(
            "portal_hub_closes_total",
            "Websockets that ended, by the code of the first close frame; 1006 when there was none.",
            ("code",),
            registry=self.registry,
        )
        self.hub_sheds = Counter(
            "portal_hub_sheds_total",
            "Readers whose connection was closed because too much was waiting for them to be read.",
            registry=self.registry,
        )
        self.hub_refusals = Counter(
            "portal_hub_refusals_total",
            "Connections that could not follow anything, by reason: before the upgrade (path, host, origin, query,"
            " request, upgrade, slow), after it (ticket.missing, .invalid, .expired, .foreign), or either (capacity).",
            ("reason",),
            registry=self.registry,
        )
