"""What the fake service answers with."""

from __future__ import annotations

MODELS = [
    {
        "id": "seedance-2.0-mini",
        "object": "model",
        "default": True,
        "lifecycle": {"state": "active", "replacement": None},
        "capabilities": {
            "modes": [{"mode": "t2v"}, {"mode": "i2v"}, {"mode": "r2v"}],
            "references": {"images": 9, "videos": 3, "audios": 0},
            "resolutions": ["480p", "720p"],
            "duration": {"least": 4, "most": 15, "auto": True},
            "audio": True,
            "service_tiers": ["default", "flex"],
        },
    },
    {
        "id": "seedance-1.5-pro",
        "object": "model",
        "lifecycle": {"state": "retired", "replacement": "seedance-2.0-mini"},
        "capabilities": "newer than this client",
    },
]


def error(status: int, message: str = "not this time", **more) -> dict:
    return {"error": {"code": f"code_{status}", "message": message, "type": "test_error", "param": None} | more}


def file_view(file_id: str, content: bytes) -> dict:
    return {
        "id": file_id,
        "object": "file",
        "kind": "image",
        "media_type": "image/png",
        "bytes": len(content),
    }


def listing(service, query: dict) -> dict:
    videos = sorted(service.videos.values(), key=lambda v: v["id"], reverse=query.get("order", "desc") == "desc")
    videos = [v for v in videos if query.get("status") in {None, v["status"]}]
    ids = [v["id"] for v in videos]
    start = ids.index(query["after"]) + 1 if "after" in query else 0
    page = videos[start : start + int(query.get("limit", 20))]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + len(page) < len(videos),
    }


def verification(body):
    ours = b"ours" in body
    return {
        "object": "verification", "ours": ours, "basis": ["signature", "fingerprint"] if ours else [],
        "ai_generated": True if ours else None, "mark": "found" if ours else "none_found",
        "integrity": "untouched" if ours else "unknown", "model": "seedance-2.0-mini" if ours else None,
        "sandbox": True if ours else None, "source_type": "trainedAlgorithmicMedia" if ours else None,
        "content_id": None, "signed_by": "Acme \x1b[31mVideo" if ours else None,
        "marked_at": 1795523037 if ours else None,
        "time_stamped": False, "sha256": "0" * 64, "bytes": len(body), "codes": [], "something_new": 1,
        "message": "It is AI-generated." if ours else "No mark was found.",
    }  # fmt: skip
