"""The operator's file: read whole, or refused with every fault in its place."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.catalog.order import Mode
from seedance_api.providers.upstream import Upstream
from seedance_api.providers.upstreams import Upstreams, read_upstreams

TODAY = date(2026, 11, 24)
FACTS = """
region = "ap-southeast-1"
data_region = "Singapore"
legal_entity = "BytePlus Pte. Ltd."
key_env = "BYTEPLUS_KEY"
"""
PLAIN = f"""
[upstreams.byteplus]
kind = "ark"
base_url = "https://ark.ap-southeast.bytepluses.com/api/v3/"
{FACTS}
models = ["seedance-2.0-mini", "seedance-2.5"]
"""
FULL = f"""
[upstreams.cn]
kind = "ark"
base_url = "https://ark.cn-beijing.volces.com/api/v3"
{FACTS}
media = "data"
callbacks = false
list_a_second = 0.5
result_hosts = ["volces.com", ".tos-cn-beijing.volces.com"]
allow_networks = ["10.0.0.0/8"]

[upstreams.cn.models."seedance-2.0-mini"]
id = "ep-20261001000000-abcde"
concurrency = 3
per_minute = 180
ends_at = 2026-12-10

[[upstreams.cn.models."seedance-2.0-mini".cost]]
currency = "CNY"
input_video = true
cost = "14"

[[upstreams.cn.models."seedance-2.0-mini".cost]]
currency = "CNY"
resolutions = ["480p"]
cost = "20.5"

[upstreams.local]
kind = "ark"
base_url = "http://127.0.0.1:8123/api/v3"
cloud = "byteplus"
{FACTS}
allow_networks = ["127.0.0.1/32"]
[upstreams.local.models."seedance-1.0-pro"]
cost = "2.5"
"""


def read(text: str) -> Upstreams:
    return read_upstreams(text, today=TODAY)


def faults(text: str) -> list[str]:
    with pytest.raises(ValueError) as raised:
        read(text)
    return str(raised.value).splitlines()


def test_a_plain_one_has_the_defaults():
    (one,) = read(PLAIN).upstreams
    assert (one.name, one.kind, one.base_url) == (
        "byteplus",
        "ark",
        "https://ark.ap-southeast.bytepluses.com/api/v3",
    )
    assert (one.region, one.data_region, one.key_env) == ("ap-southeast-1", "Singapore", "BYTEPLUS_KEY")
    assert (one.media, one.callbacks, one.list_a_second) == ("link", True, 1.0)
    assert (one.result_hosts, one.allow_networks, one.allow_http, one.extra_ports) == ((), (), False, frozenset())
    assert {name: served.ids for name, served in one.models.items()} == {
        "seedance-2.0-mini": ("dreamina-seedance-2-0-mini-260615",),
        "seedance-2.5": ("dreamina-seedance-2-5-260628",),
    }
    served = one.models["seedance-2.5"]
    assert (served.concurrency, served.per_minute, served.costs) == (10, 600, ())


def test_a_full_one_and_the_order_of_preference():
    cn, local = read(FULL).upstreams
    assert (cn.name, local.name) == ("cn", "local")
    assert (cn.media, cn.callbacks, cn.list_a_second) == ("data", False, 0.5)
    assert cn.result_hosts == ("volces.com", ".tos-cn-beijing.volces.com")
    mini = cn.models["seedance-2.0-mini"]
    assert (mini.ids, mini.concurrency, mini.per_minute) == (("ep-20261001000000-abcde",), 3, 180)
    assert mini.ends_at == datetime(2026, 12, 10, tzinfo=UTC)
    use = {"audio": True, "service_tier": "default"}
    first, second = mini.costs
    assert first.covers(resolution="720p", input_video=True, **use)
    assert not first.covers(resolution="480p", input_video=False, **use)
    assert second.covers(resolution="480p", input_video=False, **use)
    assert (first.currency, first.cost, second.cost) == ("CNY", 14_000_000, 20_500_000)
    assert (local.allow_http, local.extra_ports) == (True, frozenset({8123}))
    assert local.models["seedance-1.0-pro"].ids == ("seedance-1-0-pro-250528",)
    assert [cost.cost for cost in local.models["seedance-1.0-pro"].costs] == [2_500_000]


@pytest.mark.parametrize(
    ("host", "model", "served", "warning"),
    [
        ("ark.cn-beijing.volces.com", "seedance-1.0-pro", False, "ended there on 2026-11-24 and is not served"),
        ("ark.cn-beijing.volces.com", "seedance-1.5-pro", False, "ended there on 2026-09-21"),
        ("ark.ap-southeast.bytepluses.com", "seedance-1.0-pro", True, None),
        ("ark.ap-southeast.bytepluses.com", "seedance-1.5-pro", False, "its successor is seedance-2.0-mini"),
    ],
)
def test_what_the_vendor_has_ended_is_not_served(host, model, served, warning):
    text = PLAIN.replace("ark.ap-southeast.bytepluses.com", host).replace('"seedance-2.5"', f'"{model}"')
    found = read(text)
    assert (model in found.upstreams[0].models) is served
    assert len(found.warnings) == (warning is not None)
    if warning:
        assert warning in found.warnings[0]
        assert found.warnings[0].startswith(f"upstreams.byteplus: {model}")


@pytest.mark.parametrize(("ends_at", "warned"), [("2026-12-24", True), ("2026-12-25", False)])
def test_what_ends_within_a_month_is_warned_about(ends_at, warned):
    text = PLAIN.replace('models = ["seedance-2.0-mini", "seedance-2.5"]', "")
    text += f'[upstreams.byteplus.models."seedance-1.0-pro"]\nends_at = {ends_at}\n'
    found = read(text)
    assert "seedance-1.0-pro" in found.upstreams[0].models
    expected = [f"upstreams.byteplus: seedance-1.0-pro ends there on {ends_at}; its successor is seedance-2.0-mini"]
    assert list(found.warnings) == (expected if warned else [])


def test_1_0_lite_is_ordered_by_its_mode():
    text = PLAIN.replace('models = ["seedance-2.0-mini", "seedance-2.5"]', "")
    text += '[upstreams.byteplus.models."seedance-1.0-lite"]\nends_at = 2027-12-31\n'
    served = read(text).upstreams[0].models["seedance-1.0-lite"]
    assert served.vendor_id(Mode.TEXT) == "seedance-1-0-lite-t2v-250428"
    assert served.vendor_id(Mode.REFERENCE) == "seedance-1-0-lite-i2v-250428"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["there is no upstream; it needs a table such as [upstreams.byteplus]"]),
        ("x = ", ["not TOML: Invalid value (at end of document)"]),
        ("[other]", ["other: is not known here"]),
        ("upstreams = 3", ["upstreams: must be a table"]),
        ("[upstreams]\na = 3", ["upstreams.a: must be a table"]),
        (
            "[upstreams.sandbox]\nkind = 'fal'",
            [
                "upstreams.sandbox: the name must be of a-z, 0-9 and -, and not `sandbox`",
                "upstreams.sandbox.kind: must be one of ark",
                "upstreams.sandbox.base_url: is missing",
                "upstreams.sandbox.region: is missing",
                "upstreams.sandbox.data_region: is missing",
                "upstreams.sandbox.legal_entity: is missing",
                "upstreams.sandbox.key_env: is missing",
            ],
        ),
    ],
)
def test_every_fault_is_told(text, expected):
    assert faults(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("byteplus]", "BytePlus]", "upstreams.BytePlus: the name"),
        ('kind = "ark"', "", "upstreams.byteplus.kind: is missing: one of ark"),
        ("https:", "http:", "upstreams.byteplus.base_url: must start with https:// unless it is on this machine"),
        ("https://", "https://user:pass@", "upstreams.byteplus.base_url: must not hold a user or a password"),
        ("/api/v3/", "/api?x=1", "upstreams.byteplus.base_url: must be https://host/path, without a query"),
        ("https://", "ftp://", "upstreams.byteplus.base_url: must be https://host/path, without a query"),
        ("https://ark", "https://[ark", "upstreams.byteplus.base_url: is not a URL"),
        ("bytepluses.com", "x.org", 'upstreams.byteplus.models."seedance-2.0-mini".id: must be given, or `cloud`'),
        ('"BYTEPLUS_KEY"', '"sk-1234 secret"', "upstreams.byteplus.key_env: must be text like"),
        ('region = "ap', 'region = 7 # "ap', "upstreams.byteplus.region: must be text"),
        ("models =", "modells =", "upstreams.byteplus.modells: is not known here"),
        ("models =", 'media = "post"\nmodels =', "upstreams.byteplus.media: must be one of link, data"),
        ("models =", "callbacks = 1\nmodels =", "upstreams.byteplus.callbacks: must be true or false"),
        ("models =", "list_a_second = 0\nmodels =", "upstreams.byteplus.list_a_second: must be a number from"),
        ("models =", "result_hosts = [1]\nmodels =", "upstreams.byteplus.result_hosts: must be a list of texts"),
        ("models =", 'result_hosts = ["a b"]\nmodels =', "upstreams.byteplus.result_hosts: 'a b' must be like"),
        ("models =", "result_ports = [0]\nmodels =", "upstreams.byteplus.result_ports: must be a list of ports"),
        ("models =", "result_ports = 8444\nmodels =", "upstreams.byteplus.result_ports: must be a list of ports"),
        ("models =", "result_ports = [true]\nmodels =", "upstreams.byteplus.result_ports: must be a list of ports"),
        ("models =", 'allow_networks = ["10.0.0.1/8"]\nmodels =', "upstreams.byteplus.allow_networks: '10.0.0.1/8' is"),
        ('"seedance-2.5"]', '"seedance-9"]', "upstreams.byteplus.models.seedance-9: is not the name of a model"),
        ('"seedance-2.5"]', '"seedance-2.0-mini"]', "upstreams.byteplus.models: names seedance-2.0-mini twice"),
        ('["seedance-2.0-mini", "seedance-2.5"]', "[]", "upstreams.byteplus.models: must name at least one model"),
        ('["seedance-2.0-mini", "seedance-2.5"]', "7", "upstreams.byteplus.models: must be a table"),
    ],
)  # fmt: skip
def test_a_fault_has_its_place(old, new, says):
    assert old in PLAIN
    assert [line for line in faults(PLAIN.replace(old, new, 1)) if line.startswith(says)]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("concurrency = 0", "concurrency: must be a whole number from 1 to 100000"),
        ("concurrency = 2.5", "concurrency: must be a whole number"),
        ("concurrency = true", "concurrency: must be a whole number"),
        ("ends_at = 'soon'", "ends_at: must be a date such as 2027-01-31"),
        ("ends_at = 2027-01-31T00:00:00", "ends_at: must be a date"),
        ("id = '../x'", "id: must be text like"),
        ("price = '3'", "price: is not known here"),
        ("cost = 3.5", "cost: must be an amount"),
        ("cost = '3,5'", "cost[1].cost: must be a decimal number"),
        ("cost = [{cost = '1', resolutions = ['4k']}]", "cost[1].resolutions: 4k is not one of 480p, 720p"),
        ("cost = [{cost = '1', currency = 'dollar'}]", "cost[1].currency: must be a currency such as USD"),
        ("cost = [{cost = '1', audio = 'yes'}]", "cost[1].audio: must be true or false"),
        ("cost = [{cost = '1', tier = 'flex'}]", "cost[1].tier: is not known here"),
        ("cost = ['1']", "cost[1]: must be a table"),
        ("cost = [{}]", "cost[1].cost: is missing"),
    ],
)
def test_a_fault_of_a_model_has_its_place(key, says):
    text = PLAIN.replace('models = ["seedance-2.0-mini", "seedance-2.5"]', "")
    text += f'[upstreams.byteplus.models."seedance-2.0-mini"]\n{key}\n'
    place = 'upstreams.byteplus.models."seedance-2.0-mini".'
    assert [line for line in faults(text) if line.startswith(place + says)]


def test_the_old_names_of_keys_are_taken_with_a_warning_and_never_beside_the_new_ones():
    old = FULL.replace("concurrency = 3", "at_once = 3").replace("per_minute = 180", "a_minute = 180")
    found = read(old)
    assert found.upstreams == read(FULL).upstreams
    place = 'upstreams.cn.models."seedance-2.0-mini"'
    assert [line.split(";")[0] for line in found.warnings[:2]] == [
        f"{place}.at_once: is named `concurrency` now",
        f"{place}.a_minute: is named `per_minute` now",
    ]
    (both,) = faults(FULL.replace("concurrency = 3", "concurrency = 3\nat_once = 3"))
    assert both.startswith(f"{place}.at_once: is the old name of `concurrency`")
    (wrong,) = faults(old.replace("at_once = 3", "at_once = 0"))
    assert wrong.startswith(f"{place}.concurrency: must be")


def test_all_faults_of_all_upstreams_are_told_at_once():
    text = FULL.replace('media = "data"', 'media = "x"').replace("concurrency = 3", "concurrency = -3")
    text = text.replace('cloud = "byteplus"', 'cloud = "x"')
    told = faults(text)
    assert [line.split(":")[0] for line in told] == [
        "upstreams.cn.media",
        'upstreams.cn.models."seedance-2.0-mini".concurrency',
        "upstreams.local.cloud",
    ]


def test_a_secret_in_the_wrong_place_is_not_repeated():
    text = PLAIN.replace('key_env = "BYTEPLUS_KEY"', 'key_env = "sk-canary 1"').replace("https://", "https://u:canary@")
    assert not [line for line in faults(text) if re.search("canary", line)]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from(["kind", "base_url", "models", "cloud", "media", "allow_networks", "list_a_second"]), values)
def test_any_value_is_read_or_refused(key, value):
    def literal(said: object) -> str:
        match said:
            case bool():
                return str(said).lower()
            case None:
                return "1979-05-27"
            case dict():
                inner = (f'"{len(name)}{at}" = {literal(part)}' for at, (name, part) in enumerate(said.items()))
                return "{" + ", ".join(inner) + "}"
            case list():
                return "[" + ", ".join(literal(part) for part in said) + "]"
            case str():
                return '"' + said.encode("unicode_escape").decode().replace("\\x", "\\u00").replace('"', "") + '"'
            case _:
                return str(said)

    lines = [line for line in PLAIN.splitlines() if not line.startswith(key + " ")]
    text = "\n".join([*lines, f"{key} = {literal(value)}"])
    with suppress(ValueError):  # and no other error
        assert isinstance(read(text).upstreams[0], Upstream)


def test_further_ports_of_results_are_named():
    (one,) = read_upstreams(PLAIN.replace("models =", "result_ports = [8444, 9000]\nmodels =", 1)).upstreams
    assert one.extra_ports == {8444, 9000}
