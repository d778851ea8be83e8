"""The Piccolo engine of all tables: it has no connections and runs in the open unit of work."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NoReturn

from piccolo.engine.base import BaseTransaction, Engine

from kernel.store.errors import Unsupported
from kernel.store.unit import current

if TYPE_CHECKING:
    from piccolo.querystring import QueryString

_MIN_POSTGRES: Final = 16


class UnitOfWorkEngine(Engine[BaseTransaction]):
    """Runs Piccolo's queries on the connection of the open unit of work; refuses calls that would leave it."""

    def __init__(self) -> None:
        # Without Piccolo's initialiser, which would run an event loop at import to ask a server for its version.
        self.engine_type = "postgres"
        self.min_version_number: int | float = _MIN_POSTGRES
        self.log_queries = False
        self.log_responses = False
        self.query_id = 0
        self.current_transaction = ContextVar("piccolo_transaction", default=None)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """Run a query in the open unit of work; raises NoUnitOfWork or WrongTask."""
        sql, args = querystring.compile_string(engine_type=self.engine_type)
        return await current().connection().fetch(sql, *args)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """Run a DDL statement in the open unit of work; raises NoUnitOfWork or WrongTask."""
        return await current().connection().fetch(ddl)

    def transform_response_to_dicts(self, results: list[Any]) -> list[dict[str, Any]]:
        """Turn the driver's records into the dictionaries that Piccolo works on."""
        return [dict(row) for row in results]

    async def get_version(self) -> float:
        """Return the oldest Postgres that is supported; `provision` asks the server."""
        return float(_MIN_POSTGRES)

    def get_version_sync(self) -> float:
        """Return the oldest Postgres that is supported."""
        return float(_MIN_POSTGRES)

    async def prep_database(self) -> None:
        """Do nothing: migrations own the schema."""

    async def batch(self, *args: object, **kwargs: object) -> NoReturn:  # noqa: ARG002
        """Refuse: Piccolo would open a connection of its own, bound to no workspace."""
        message = "batch() leaves the unit of work: page by key instead."
        raise Unsupported(message)

    def transaction(self, *args: object, **kwargs: object) -> NoReturn:  # noqa: ARG002
        """Refuse: a nested transaction would silently join the outer one."""
        message = "transaction() leaves the unit of work: use Database.scope, or savepoint() inside it."
        raise Unsupported(message)

    def atomic(self) -> NoReturn:
        """Refuse: see `transaction`."""
        message = "atomic() leaves the unit of work: use Database.scope."
        raise Unsupported(message)

    async def start_connection_pool(self, **kwargs: object) -> NoReturn:  # noqa: ARG002
        """Refuse: connections belong to a Database."""
        message = "The engine owns no connections: use Database.open."
        raise Unsupported(message)

    async def close_connection_pool(self) -> NoReturn:
        """Refuse: connections belong to a Database."""
        message = "The engine owns no connections: use Database.close."
        raise Unsupported(message)


ENGINE: Final = UnitOfWorkEngine()
