"""What the fake service says about money."""

from __future__ import annotations

KEY_IDS = ("key_01k9zq3v5n8r2t4w6y8a0c1d2e", "key_01k9zq3v5n8r2t4w6y8a0c1d2f")
STATEMENT = (
    b"time,kind,amount,currency,video\r\n"
    b"2026-11-24T10:00:00Z,hold,-0.400000,USD,vid_0001\r\n"
    b"2026-11-24T10:01:00Z,charge,-0.381150,USD,vid_0001\r\n"
    b"2026-11-24T10:01:00Z,release,0.018850,USD,vid_0001\r\n"
)


def cost(service, status: str) -> dict:
    """Of a video in this state: with a live key 0.40 is held and 0.38115 charged for a completed one."""
    made, final = status == "completed", status in {"completed", "failed", "canceled"}
    charged, released = ("0.381150", "0.018850") if made else ("0.000000", "0.400000")
    found = {"price_version": 3, "price_per_million_tokens": "3.500000", "quoted": "0.381150", "hold": "0.400000"}
    if not service.livemode:
        charged = released = "0.000000"
        found = {"price_version": None, "price_per_million_tokens": None, "quoted": charged, "hold": charged}
    return found | {
        "currency": "USD",
        "charged": charged if final else None,
        "released": released if final else None,
        "refunded": "0.000000",
        "waived": "0.000000",
        "reason": None,
        "usage": {"tokens": 108900, "resolution": "720p", "seconds": "5"} if made else None,
    }


def quote(service) -> dict:
    live = service.livemode
    return {
        "object": "quote", "model": "seedance-2.0-mini", "mode": "t2v", "size": "1280x720", "seconds": "5",
        "resolution": "720p", "ratio": "16:9", "livemode": live, "sandbox": not live,
        "tokens": {"expected": 108900, "most": 114286},
        "cost": {
            "currency": "USD", "price_version": 3, "price_per_million_tokens": "3.500000", "expected": "0.381150",
            "hold": "0.400000" if live else "0.000000", "most": "0.400001" if live else "0.000000", "free": not live,
        },
        "new": 7,
    }  # fmt: skip


def limit(scope, key_id, period, most, spent, left, resets_at) -> dict:
    return {
        "scope": scope, "key_id": key_id, "period": period, "limit": most, "spent": spent, "left": left,
        "resets_at": resets_at,
    }  # fmt: skip


def balance(service) -> dict:
    return {
        "object": "balance", "currency": "USD", "available": "1012.500000", "held": "0.762300",
        "granted": "5.000000", "livemode": service.livemode, "sandbox": not service.livemode, "new": 7,
        "limits": [
            limit("account", None, "day", "10.000000", "1.000000", "9.000000", 1764028800),
            limit("account", None, "month", "100.000000", "87.500000", "12.500000", 1764547200),
            limit("key", KEY_IDS[0], "total", "5.000000", "5.381150", "-0.381150", None),
        ],
    }  # fmt: skip


def usage(service, query: dict) -> dict:
    """Seven days, in pages of `limit`; the cursor is the number of rows before it."""
    groups = query.get("group_by", "day").split(",")
    days = range(24, 17, -1)
    rows = [usage_row(groups, day, place % 2) for place, day in enumerate(days)]
    start, count = int(query.get("after", 0)), int(query.get("limit", 100))
    has_more = start + count < len(rows)
    return {
        "object": "list", "data": rows[start : start + count], "totals": sums(21, "105.5", 2286900, "8.004150"),
        "currency": "USD", "from": query.get("from", "2026-11-01"), "to": query.get("to", "2026-11-30"),
        "livemode": service.livemode, "sandbox": not service.livemode, "has_more": has_more,
        "next": str(start + count) if has_more else None,
    }  # fmt: skip


def usage_row(groups: list[str], day: int, place: int) -> dict:
    return sums(3, "15", 326700, "1.143450") | {
        "object": "usage",
        "day": f"2026-11-{day}" if "day" in groups else None,
        "model": ("seedance-2.0-mini", "seedance-1.5-pro")[place] if "model" in groups else None,
        "key_id": KEY_IDS[place] if "key" in groups else None,
    }


def sums(videos: int, seconds: str, tokens: int, charged: str) -> dict:
    return {"videos": videos, "seconds": seconds, "tokens": tokens, "charged": charged, "refunded": "0.000000"}
