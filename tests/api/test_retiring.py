"""A model that is being retired: what a quote, a create, a list and a repeat say of it."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from stage import Service

OLD = {"model": "seedance-1.0-pro", "prompt": "A lake", "resolution": "480p", "duration": 4}
NEW = OLD | {"model": "seedance-2.0-mini"}


def test_a_quote_and_a_create_warn(service: Service) -> None:
    with service.client() as client:
        for path in ("/v1/videos/quote", "/v1/videos"):
            key = {"Idempotency-Key": f"old {path}"}
            answers = [client.post(path, json=OLD, headers=key) for _ in range(2)]
            assert answers[1].headers["idempotent-replayed"] == "true"
            for answer in answers:
                (warning,) = answer.json()["warnings"]
                assert warning["code"] == "model_retiring"
                assert "2026-11-24" in warning["message"]
                assert "seedance-2.0-mini" in warning["message"]
                deprecated, sunset = answer.headers["deprecation"], parsedate_to_datetime(answer.headers["sunset"])
                assert deprecated.startswith("@")  # RFC 9651 §3.3.7, a date
                assert int(deprecated[1:]) <= sunset.timestamp()
                assert answer.headers["sunset"].endswith(" GMT")
                assert sunset.tzinfo is UTC
        made = answers[0].json()
        assert client.get(f"/v1/videos/{made['id']}").json()["warnings"] == made["warnings"]
        client.post(f"/v1/videos/{made['id']}/cancel")


def test_a_model_that_stays_is_not_warned_of(service: Service) -> None:
    with service.client() as client:
        for path in ("/v1/videos/quote", "/v1/videos"):
            answer = client.post(path, json=NEW)
            assert answer.json()["warnings"] == []
            assert {"deprecation", "sunset"}.isdisjoint(answer.headers)
        client.post(f"/v1/videos/{answer.json()['id']}/cancel")
