"""`asset://` inputs: an upstream's own media, of which nothing is known here."""
# pyright: reportArgumentType=false
# none of these orders brings a file, so that any folder will do

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from obstore.store import MemoryStore

from generations.kit import Owner, engine, new, owner, sandbox, with_database
from seedance_api.accounts.authenticate import Principal
from seedance_api.accounts.keys import KeyMode
from seedance_api.api.understand import understand
from seedance_api.api.video_form import CreateVideo, what_it_says
from seedance_api.billing.books import Books
from seedance_api.billing.credit import credit
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Kind, Mode, Role
from seedance_api.catalog.request import Facts, Request
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.advance import advance
from seedance_api.generations.announce import announce_news
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.create import create
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.drafts import delete_files
from seedance_api.generations.price import price_order
from seedance_api.generations.queries import inputs
from seedance_api.generations.queries.erase import delete_old_prompts, delete_prompt
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.rows import Medium
from seedance_api.generations.write import Writer
from seedance_api.references import assets
from seedance_api.references.admit import References
from seedance_api.references.queries import NewFile
from seedance_api.routing.router import Offer, Router
from seedance_api.web.body import Body
from stage import Service

EVERY = {model.name: None for model in MODELS}
UPSTREAM = Router(offers={"up": Offer(models=EVERY)})
SANDBOX = Router(offers={"sandbox": Offer(models=EVERY, assets=False)})
NAMES = ("asset-1_A", "clip", "voice")
WISH: dict[str, Any] = {
    "model": "seedance-2.5",
    "prompt": "The two meet",
    "duration": 5,
    "images": [{"url": "asset://asset-1_A", "role": "reference"}],
    "videos": ["asset://clip"],
    "audios": ["asset://voice"],
}


async def media_of(db: Database, generation_id: str) -> list[Medium]:
    return list((await inputs.inputs_of(db, [generation_id]))[generation_id].media)


def parts_of(db: Database, router: Router) -> Creating:
    """What a create needs. Nothing is fetched: the door to the outside is shut by being asked for no address."""
    references = References(db=db, store=MemoryStore(), confine=Confine(slots=1), outbound=Outbound())
    return Creating(
        db=db, writer=Writer(db), books=Books(db), references=references, router=router, retention_seconds=3600,
        grace_seconds=3600, deadline_seconds=600,
    )  # fmt: skip


def asked(**fields: Any) -> tuple[CreateVideo, CreateGeneration]:
    """A create that came as JSON."""
    return understand(Body(values=WISH | fields, files=[], typed=True), Outbound())


def wished(**fields: Any) -> CreateGeneration:
    return asked(**fields)[1]


async def allow_all(db: Database, me: Owner) -> None:
    """The operator allows the account what the requests here name."""
    for name in NAMES:
        await assets.allow(db, me.account_id, name, "the operator")


def live(me: Owner) -> Principal:
    return Principal(me.account_id, me.key_id, livemode=True)


def once(me: Owner, key: str) -> Once:
    return Once(account_id=me.account_id, route="live POST /v1/videos", key=key, fingerprint=b"x")


def test_assets_pass_through_to_the_row_and_a_final_take_has_them_too(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 100_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, me)
        made = await create(
            wished(draft=True),
            principal=live(me),
            once=once(me, "a"),
            folder=tmp_path,
            parts=parts_of(db, UPSTREAM),
        )
        assert made.seen is not None
        nothing = {"object_key": None, "media_type": None, "width": None, "height": None, "seconds": None}
        wanted = [
            Medium(role=Role.REFERENCE, kind=kind, asset=f"asset://{name}", **nothing)
            for kind, name in ((Kind.IMAGE, "asset-1_A"), (Kind.VIDEO, "clip"), (Kind.AUDIO, "voice"))
        ]
        assert await media_of(db, made.generation_id) == wanted
        await db.execute("UPDATE generation SET draft_until = now() + interval '1 hour'")
        final = msgspec.structs.replace(made.seen.params, mode=Mode.FINAL, draft=False)
        take = await Writer(db)(new(me, livemode=True, provider="up", order=final, draft_id=made.generation_id))
        assert await media_of(db, take.generation_id) == wanted
        # what is not known counts with the longest that the model takes
        assert made.seen.params.input_video_seconds == 30
        assert made.seen.params.mode is Mode.REFERENCE

    with_database(database_url, verb)


def test_the_ids_of_assets_go_with_the_prompt(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 100_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, me)
        parts = parts_of(db, UPSTREAM)
        ids = [
            (await create(wished(), principal=live(me), once=once(me, key), folder=tmp_path, parts=parts))
            .generation_id
            for key in "abc"
        ]  # fmt: skip
        await db.execute(
            """
            UPDATE generation SET state = 'canceled', finished_at = now() - interval '25 hours' * (id <> $1)::int
            """,
            ids[0],
        )
        assert [len(await media_of(db, one)) for one in ids] == [3, 3, 3]
        await delete_prompt(db, ids[1])
        assert [len(await media_of(db, one)) for one in ids] == [3, 0, 3]
        assert await delete_old_prompts(db, 10) == 1
        assert [len(await media_of(db, one)) for one in ids] == [3, 0, 0]
        assert [(await inputs.inputs_of(db, [one]))[one].prompt is None for one in ids] == [False, True, True]

    with_database(database_url, verb)


@pytest.mark.parametrize(("livemode", "router"), [(False, UPSTREAM), (True, SANDBOX)])
def test_the_sandbox_has_no_assets(database_url: str, tmp_path: Path, livemode: bool, router: Router) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        principal, parts = msgspec.structs.replace(live(me), livemode=livemode), parts_of(db, router)
        for act in (
            create(wished(), principal=principal, once=once(me, "a"), folder=tmp_path, parts=parts),
            price_order(wished(), principal=principal, folder=tmp_path, parts=parts),
        ):
            with pytest.raises(AppError) as error:
                await act
            assert error.value.status == 400
            assert [(one.path, one.code) for one in error.value.problems] == [
                ("images[0]", "bad_media"),
                ("videos[0]", "bad_media"),
                ("audios[0]", "bad_media"),
            ]
            assert "the sandbox has no assets" in error.value.problems[0].message
            assert "asset-1_A" not in str(error.value.problems)
        assert await db.fetchval("SELECT count(*) FROM generation") == 0

    with_database(database_url, verb)


@pytest.mark.parametrize(
    "url",
    ["asset://", "asset://" + "a" * 129, "asset://a b", "asset://a/b", "asset://a?b", "asset://ä", "asset://a\n",
     "asset://../x", "asset://a#b", "asset://a%41"],
)  # fmt: skip
def test_what_is_no_asset_s_address_is_told_at_its_place(url: str) -> None:
    with pytest.raises(AppError) as error:
        asked(images=["asset://ok", {"url": url, "role": "reference"}])
    assert "images[1]" in [one.path for one in error.value.problems]
    (problem,) = [one for one in error.value.problems if one.path == "images[1]"]
    assert problem.code == "bad_media"
    assert problem.value is None


def test_an_asset_counts_for_what_a_request_says() -> None:
    said = [json.loads(what_it_says(asked(images=[f"asset://{name}"])[0], []))["images"] for name in ("a", "b")]
    assert said == [["asset://a"], ["asset://b"]]
    (image, *_) = wished(images=["asset://" + "a" * 128]).sources
    assert (image.url, image.file_id, image.arrives) == (None, None, False)


def test_a_draft_ends_with_one_of_its_files_and_its_assets_go(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        file = NewFile(
            id=new_id("file"), account_id=me.account_id, livemode=True, inline=False, kind=Kind.IMAGE, object_key="k",
            sha256="0", facts=Facts(media_type="image/png", bytes=1), keep_seconds=60,
        )  # fmt: skip
        media = (
            NewMedium(role=Role.REFERENCE, file_id=file.id),
            NewMedium(role=Role.REFERENCE, asset="asset://a", kind=Kind.IMAGE),
        )
        draft = new(me, livemode=True, new_files=(file,), media=media)
        draft = msgspec.structs.replace(draft, order=msgspec.structs.replace(draft.order, draft=True))
        await Writer(db)(draft)
        await db.execute("UPDATE generation SET state = 'canceled', finished_at = now()")
        assert [one.asset for one in await media_of(db, draft.id)] == [None, "asset://a"]
        async with db.transaction() as connection:
            assert (await delete_files(connection, [file.id])).ids
        assert await media_of(db, draft.id) == []

    with_database(database_url, verb)


def test_a_row_is_a_file_or_an_asset(database_url: str) -> None:
    async def verb(db: Database) -> None:
        made = await Writer(db)(new(await owner(db)))
        for file_id, asset, kind in ((None, None, None), (None, "asset://a", None), ("file_x", "asset://a", "image")):
            with pytest.raises(Exception, match="an_input_is_a_file_or_an_asset"):
                await db.execute(
                    "INSERT INTO generation_media VALUES ($1, 0, 'reference', $2, $3, $4)",
                    made.generation_id, file_id, asset, kind,
                )  # fmt: skip

    with_database(database_url, verb)


def test_concurrent_creates_with_assets_are_as_many_generations(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 1_000_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, me)
        parts = parts_of(db, UPSTREAM)
        await asyncio.gather(
            *(
                create(wished(), principal=live(me), once=once(me, str(n % 4)), folder=tmp_path, parts=parts)
                for n in range(12)
            )
        )
        assert await db.fetchval("SELECT count(*) FROM generation") == 4
        assert await db.fetchval("SELECT count(*) FROM generation_media") == 12

    with_database(database_url, verb)


async def told(act: Any) -> AppError:
    """The refusal of a create or a quote."""
    with pytest.raises(AppError) as error:
        await act
    return error.value


def test_an_account_uses_what_the_operator_allows_it_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    """One that nobody has and one that another account has are refused alike, before anything is held."""

    async def verb(db: Database) -> None:
        me, other = await owner(db, mode=KeyMode.LIVE), await owner(db, "other@example.org", mode=KeyMode.LIVE)
        await credit(db, me.account_id, 100_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, other)
        await assets.allow(db, me.account_id, "clip", "the operator")
        await assets.allow(db, me.account_id, "voice", "the operator")
        parts = parts_of(db, UPSTREAM)

        def tries(image: str) -> tuple[Any, Any]:
            wish = wished(images=[{"url": image, "role": "reference"}])
            return (
                create(wish, principal=live(me), once=once(me, image), folder=tmp_path, parts=parts),
                price_order(wish, principal=live(me), folder=tmp_path, parts=parts),
            )

        said = [await told(act) for image in ("asset://asset-1_A", "asset://nobodys") for act in tries(image)]
        assert {(one.status, one.code, one.message, one.param) for one in said} == {
            (404, "not_found", said[0].message, "images[0]")
        }
        assert all(one.problems == said[0].problems for one in said)
        assert "asset-1_A" not in str(said[0].problems)
        assert await db.fetchval("SELECT count(*) FROM hold") == 0
        await assets.allow(db, me.account_id, "asset-1_A", "the operator")
        makes, quotes = tries("asset://asset-1_A")
        assert (await makes).seen is not None
        assert (await quotes).price is not None
        # the same key again is answered as before, whatever was revoked meanwhile
        await assets.revoke(db, me.account_id, "asset-1_A", "the operator")
        makes, quotes = tries("asset://asset-1_A")
        assert (await makes).replayed
        assert (await told(quotes)).code == "not_found"

    with_database(database_url, verb)


def test_nothing_is_fetched_for_a_request_with_an_asset_of_somebody_else(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        images = [{"url": one, "role": "reference"} for one in ("asset://x", "https://192.0.2.1/never-asked.png")]
        wish = wished(images=images, videos=[], audios=[])
        act = price_order(wish, principal=live(me), folder=tmp_path, parts=parts_of(db, UPSTREAM))
        assert [one.path for one in (await told(act)).problems] == ["images[0]"]

    with_database(database_url, verb)


def test_a_final_take_of_a_draft_with_an_asset_that_was_revoked_is_refused(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 100_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, me)
        parts = parts_of(db, UPSTREAM)
        made = await create(wished(draft=True), principal=live(me), once=once(me, "a"), folder=tmp_path, parts=parts)
        await db.execute(
            """
            UPDATE generation SET state = 'completed', finished_at = now(), draft_until = now() + interval '1 hour'
            """
        )
        final = CreateGeneration(request=Request(), draft_id=made.generation_id)
        assert (await price_order(final, principal=live(me), folder=tmp_path, parts=parts)).price is not None
        await assets.revoke(db, me.account_id, "clip", "the operator")
        error = await told(price_order(final, principal=live(me), folder=tmp_path, parts=parts))
        assert (error.code, error.param) == ("not_found", "draft_id")

    with_database(database_url, verb)


def test_what_was_revoked_before_it_was_sent_is_not_sent(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 100_000_000, reason="a test", author="test", announce=announce_news)
        await allow_all(db, me)
        made = await create(
            wished(), principal=live(me), once=once(me, "a"), folder=tmp_path, parts=parts_of(db, UPSTREAM)
        )
        run = engine(db, providers={"up": sandbox("up", 8)}, router=UPSTREAM)
        await dispatch("up", run)
        await assets.revoke(db, me.account_id, "asset-1_A", "the operator")
        await advance(made.generation_id, run)
        (row,) = await db.fetch("SELECT * FROM generation")
        assert (row["state"], row["error_code"]) == ("failed", "input_unreadable")
        (attempt,) = await db.fetch("SELECT * FROM attempt")
        assert (attempt["state"], attempt["sent_at"]) == ("rejected", None)
        assert await db.fetchval("SELECT state FROM hold") == "released"

    with_database(database_url, verb)


def test_who_allowed_and_who_revoked_is_kept(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        for author, is_new in (("ann", True), ("bob", False)):
            made, new_one = await assets.allow(db, me.account_id, "face", author)
            assert (made.allowed_by, new_one) == ("ann", is_new)
        assert await assets.revoke(db, me.account_id, "face", "carl")
        assert not await assets.revoke(db, me.account_id, "face", "dora")
        await assets.allow(db, me.account_id, "face", "emma")
        found = await assets.permissions_of(db, me.account_id)
        assert [(one.allowed_by, one.revoked_by) for one in found] == [("ann", "carl"), ("emma", None)]
        assert await assets.refused(db, me.account_id, ["asset://face", "asset://other"]) == {"asset://other"}

    with_database(database_url, verb)


def test_the_operator_s_commands(database_url: str, tmp_path: Path) -> None:
    service = Service(database_url, tmp_path, started=False)
    service.command("account", "create", "me@example.org")
    made = service.command("asset", "allow", "me@example.org", "asset://face-1", "--author", "ann")
    assert (made["asset"], made["allowed_by"], made["repeated"]) == ("face-1", "ann", False)
    assert service.command("asset", "allow", "me@example.org", "face-1")["repeated"]
    service.command("asset", "revoke", "me@example.org", "face-1", "--author", "bob")
    (one,) = service.command("asset", "list", "me@example.org")["assets"]
    assert (one["allowed_by"], one["revoked_by"]) == ("ann", "bob")
