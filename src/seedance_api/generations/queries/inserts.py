"""SQL of generations: how new ones are written."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg
import msgspec

from seedance_api.billing.decide import NewHold
from seedance_api.billing.quote import Price
from seedance_api.catalog.order import Kind, Order, Role
from seedance_api.foundation.db import Connection, row
from seedance_api.foundation.idempotency import Once
from seedance_api.generations.rows import Seen
from seedance_api.references.queries import NewFile


class NewMedium(msgspec.Struct, frozen=True, kw_only=True):
    """An input in its role: a file of ours, or an upstream's asset and what kind of medium that is said to be."""

    role: Role
    file_id: str | None = None
    asset: str | None = None
    kind: Kind | None = None


class NewGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request, with a place in the catalogue and its media in the store."""

    id: str
    account_id: str
    key_id: str
    livemode: bool
    provider: str
    order: Order
    prompt: str
    media: tuple[NewMedium, ...]
    new_files: tuple[NewFile, ...]
    draft_id: str | None
    metadata: dict[str, str]
    keep_seconds: int
    grace_seconds: int
    deadline_seconds: int
    quoted_tokens: int
    once: Once
    price: Price | None
    """None for a generation that costs nothing."""
    webhook_url: str | None = None
    max_pending: int = 1_000_000
    """How many unfinished generations its account may have in its mode, this one included."""
    input_bytes: int | None = None
    """Of its inputs together; None where the size of one is not known."""

    @property
    def uploads(self) -> set[str]:
        """The files it uses that were uploaded before."""
        return {medium.file_id for medium in self.media if medium.file_id} - {file.id for file in self.new_files}

    @property
    def shared(self) -> set[str]:
        """The files whose objects its new files share."""
        return {file.shares for file in self.new_files if file.shares is not None}

    @property
    def hook(self) -> tuple[str, bool, str] | None:
        """The endpoint that is told how it ended: account, mode and address."""
        return (self.account_id, self.livemode, self.webhook_url) if self.webhook_url is not None else None

    @property
    def hold(self) -> NewHold | None:
        """What is to be held for it."""
        if self.price is None:
            return None
        return NewHold(
            generation_id=self.id,
            account_id=self.account_id,
            key_id=self.key_id,
            currency=self.price.currency,
            price_version=self.price.version,
            rate=self.price.rate.price,
            quoted_tokens=self.price.tokens.expected,
            quoted=self.price.expected,
            amount=self.price.most,
        )


async def insert_generations(
    connection: Connection, news: Sequence[NewGeneration], hooks: Mapping[tuple[str, bool, str], str]
) -> dict[str, Seen]:
    """Write the rows of new generations and of their prompts; returns them as their owners see them. Those with which
    an account would have more unfinished ones than it may have are left out, exactly.

    `hooks` are the endpoints that are told how they end, by account, mode and address.
    """
    if not news:
        return {}
    found = await connection.fetch(
        """
        WITH n AS (
            SELECT *, row_number() OVER (PARTITION BY a, l ORDER BY place) AS turn
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::jsonb[],
                        $8::jsonb[], $9::int[], $10::bigint[], $11::interval[], $12::text[], $13::text[],
                        $14::int[], $15::text[], $16::bigint[], $17::bigint[]) WITH ORDINALITY
                AS n (id, a, k, l, p, m, o, d, s, q, w, prompt, draft, grace, hook, most, bytes, place)
        ), standing AS (  -- locked, and so as it is now; a trigger counts what is inserted
            INSERT INTO pending AS old (account_id, livemode, number) SELECT DISTINCT a, l, 0 FROM n ORDER BY 1, 2
            ON CONFLICT (account_id, livemode) DO UPDATE SET number = old.number RETURNING *
        ), fitting AS (
            SELECT n.* FROM n JOIN standing ON account_id = a AND livemode = l WHERE number + turn <= most
        ), inputs AS (
            INSERT INTO generation_input (generation_id, prompt) SELECT id, prompt FROM fitting
        )
        INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata, keep_seconds,
                                quoted_tokens, deadline_at, draft_id, grace_seconds, webhook_endpoint_id,
                                input_bytes)
        SELECT id, a, k, l, p, m, o, d, s, q, now() + w, draft, grace, hook, bytes FROM fitting RETURNING *
        """,
        [new.id for new in news],
        [new.account_id for new in news],
        [new.key_id for new in news],
        [new.livemode for new in news],
        [new.provider for new in news],
        [new.order.model for new in news],
        [new.order for new in news],
        [new.metadata for new in news],
        [new.keep_seconds for new in news],
        [new.quoted_tokens for new in news],
        [timedelta(seconds=new.deadline_seconds) for new in news],
        [new.prompt for new in news],
        [new.draft_id for new in news],
        [new.grace_seconds for new in news],
        [hooks[new.hook] if new.hook else None for new in news],
        [new.max_pending for new in news],
        [new.input_bytes for new in news],
    )
    rows = {record["id"]: record for record in found}
    return {new.id: _seen(new, rows[new.id]) for new in news if new.id in rows}


async def insert_media(connection: Connection, news: Sequence[NewGeneration]) -> None:
    """Write what new generations, whose rows and files are written, use as inputs."""
    media = [
        (new.id, position, medium.role.value, medium.file_id, medium.asset, medium.kind.value if medium.kind else None)
        for new in news
        for position, medium in enumerate(new.media)
    ]
    if media:
        await connection.executemany(
            """
            INSERT INTO generation_media (generation_id, position, role, file_id, asset, kind)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            media,
        )
    await _inherit_media(connection, [new for new in news if new.draft_id])


async def _inherit_media(connection: Connection, finals: list[NewGeneration]) -> None:
    """A final take uses the inputs of its draft."""
    if finals:
        await connection.execute(
            """
            INSERT INTO generation_media (generation_id, position, role, file_id, asset, kind)
            SELECT n.id, m.position, m.role, m.file_id, m.asset, m.kind
            FROM unnest($1::text[], $2::text[]) AS n (id, draft_id)
            JOIN generation_media m ON m.generation_id = n.draft_id
            """,
            [new.id for new in finals],
            [new.draft_id for new in finals],
        )


def _seen(new: NewGeneration, record: asyncpg.Record) -> Seen:
    hold = None
    if new.hold is not None:
        hold = msgspec.structs.asdict(new.hold) | {
            "counted_on": record["created_at"].date(), "state": "held", "tokens": None, "resolution": None,
            "charged": None, "waived": 0, "refunded": 0, "reason": None, "created_at": record["created_at"],
            "resolved_at": None,
        }  # fmt: skip
    return row(Seen, {
        **record, "prompt": new.prompt, "purge_at": None, "delivered_at": None, "content_state": None, "variants": [],
        "hold": hold,
    })  # fmt: skip
