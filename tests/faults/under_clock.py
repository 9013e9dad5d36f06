"""What `test_clocks.py` runs where the clock is off: a create, its retry, a claim and a charge."""

import asyncio
import json
import sys
import time

import msgspec

from money.bank import Bank
from seedance_api.billing.books import Books
from seedance_api.billing.limits import set_limits, spending
from seedance_api.billing.rows import Period
from seedance_api.billing.settle import settle
from seedance_api.foundation.claim_key import claimed
from seedance_api.foundation.db import Database
from seedance_api.foundation.idempotency import Kind


async def main(url: str) -> dict[str, object]:
    db = await Database.connect(url, max_connections=4)
    bank = await Bank.open(db, 1000, f"{time.time()}@example.org")
    await set_limits(db, bank.me.account_id, None, {Period.DAY: 900, Period.MONTH: 950})
    first = await bank.compose(quoted=500, most=600)
    made = await bank.writer(first)
    again = msgspec.structs.replace(
        await bank.compose(quoted=500, most=600), once=msgspec.structs.replace(first.once, kind=Kind.RETRY)
    )
    retried = await bank.writer(again)
    keyed = msgspec.structs.replace(first.once, key="other", kind=Kind.KEY)
    async with claimed(db, keyed) as mine, claimed(db, keyed) as other:
        claims = mine is not None, other is not None
    async with db.transaction() as connection:
        await settle(connection, bank.sale(first, 500), first.order, Books(db))
    await bank.end(first.id, "completed")
    spent = [one.spent for one in await spending(db, bank.me.account_id)]
    await bank.is_sound()
    known = db.clock()
    await db.close()
    return {
        "known": known,
        "off": time.time(),
        "same": retried.generation_id == made.generation_id,
        "claims": claims,
        "spent": spent,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1]))))
