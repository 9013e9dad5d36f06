"""A wrong book is refused with every fault in its place; the standard one has the vendor's list prices to the cent."""

import tomllib
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from catalog.asking import LITE, M15, M20, M25, PRO, accepted, ask, videos
from generations.kit import with_database
from money.kit import hold, standard_book
from seedance_api.billing import decide
from seedance_api.billing.books import STANDARD, PriceBook, load_book
from seedance_api.billing.prices import Rate, Use, cost_of, every_rate, price_of, use_of, uses
from seedance_api.billing.quote import price
from seedance_api.billing.read_book import read_book
from seedance_api.catalog.check import Accepted
from seedance_api.catalog.models import MODELS, find
from seedance_api.catalog.pixels import size
from seedance_api.catalog.tokens import Tokens, billed, estimate, minimum
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.money import MICRO

BOOK = standard_book()
TEXT = STANDARD.read_text()

# Wrong books. Each is told with everything that is wrong with it, so the list of lines is compared whole.

ROW = """
[[USD.rows]]
models = ["seedance-1.0-pro-fast"]
cost = "1.0"
"""
HALF = """
[[USD.rows]]
models = ["seedance-1.0-pro-fast"]
service_tier = "default"
cost = "1.0"
"""
DIGITS = "must be a decimal number with at most six decimals, such as 12.50"


def problems(text: str) -> list[str]:
    """Every line of the refusal."""
    with pytest.raises(ValueError) as raised:
        read_book(text)
    lines = str(raised.value).splitlines()
    assert all(lines)
    return lines


def uses_of(name: str) -> list[Use]:
    model = find(name)
    assert model is not None
    return list(uses(model))


def test_a_book_in_order_is_read() -> None:
    book = read_book(ROW)
    assert list(book.currencies) == [book.default_currency] == ["USD"]
    assert every_rate(book) == {("USD", use): Rate(1_000_000, 1_000_000) for use in uses_of("seedance-1.0-pro-fast")}


@pytest.mark.parametrize("text", ["", "\n", "# nothing but this\n"])
def test_an_empty_book_is_refused(text: str) -> None:
    assert problems(text) == ["the book is empty; it needs a section such as [USD]"]


@pytest.mark.parametrize(
    "text",
    ["[USD", "USD", "USD = ", "[USD]\n[USD]", ROW + "cost = '2'", "{}", "\0", "[USD]\nx = 1979-99-99", '["USD": 1]'],
)
def test_what_is_not_toml_is_refused(text: str) -> None:
    assert problems(text)[0].startswith("not TOML: ")


def test_every_unknown_section_is_named_beside_the_faults_of_the_known_ones() -> None:
    text = 'prices = 1\n"" = 1\nEUR = 3\nGBP = []\n[usd]\n[USDT]\n["US"]\n' + ROW.replace("pro-fast", "max")
    says = "a section is a currency, such as [USD]"
    assert problems(text) == [
        f"prices: {says}",
        f": {says}",
        "EUR: must be a section, [EUR]",
        "GBP: must be a section, [GBP]",
        f"usd: {says}",
        f"USDT: {says}",
        f"US: {says}",
        "USD: rows[0].models: there is no model seedance-1.0-max",
    ]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("[USD]", "USD: "),
        ("[USD]\nrows = 'x'", "rows"),
        ("[USD]\nrows = [1]", "rows[0]"),
        ("[USD]\nrows = {}", "rows"),
        (f"[USD]\nmargin_percent = 20\n{ROW}", "margin_percent"),
        (f"[USD]\nmargin = '20'\n{ROW}", "margin"),
        (ROW.replace('"1.0"', "1.0"), "rows[0].cost"),
        (ROW.replace('"1.0"', "1"), "rows[0].cost"),
        (ROW.replace('"1.0"', "true"), "rows[0].cost"),
        (ROW.replace('"1.0"', "nan"), "rows[0].cost"),
        (ROW + "price = 2.0", "rows[0].price"),
        (ROW + "prize = '2.0'", "prize"),
        (ROW + ROW + "prize = '2.0'", "rows[1]"),
        (ROW + "audio = 'yes'", "rows[0].audio"),
        (ROW + "audio = 1", "rows[0].audio"),
        (ROW + "input_video = 'no'", "rows[0].input_video"),
        (ROW + "service_tier = ['flex']", "rows[0].service_tier"),
        (ROW + "resolutions = '480p'", "rows[0].resolutions"),
        (ROW + "resolutions = [480]", "rows[0].resolutions[0]"),
        (ROW.replace('["seedance-1.0-pro-fast"]', '"seedance-1.0-pro-fast"'), "rows[0].models"),
        (ROW.replace('cost = "1.0"', ""), "rows[0].cost"),
    ],
)
def test_wrong_types_missing_and_unknown_fields_are_named(fault: str, place: str) -> None:
    (line,) = problems(fault)
    assert line.startswith("USD: ")
    assert place in line


def test_everything_of_a_wrong_type_is_told_at_once() -> None:
    text = "[USD]\nmargin_percent = 20\n" + ROW.replace("cost", "costs") + ROW.replace('"1.0"', "1.0") + "audio = 1\n"
    assert problems(text + "[[USD.rows]]\nmodels = 'x'\ncost = '1'\nresolutions = [480]\n") == [
        "USD: margin_percent: must be text",
        "USD: rows[0].cost: is missing",
        "USD: rows[0].costs: is not known here",
        "USD: rows[1].audio: must be true or false",
        "USD: rows[1].cost: must be text",
        "USD: rows[2].models: must be a list",
        "USD: rows[2].resolutions[0]: must be text",
    ]


def test_the_sections_do_not_hide_each_others_wrong_types() -> None:
    lines = problems(ROW.replace('"1.0"', "1.0") + ROW.replace("USD", "EUR").replace("cost", "costs"))
    lines = [line for line in lines if "is missing" not in line]
    assert [line[:5] for line in lines] == ["USD: ", "EUR: "]


@pytest.mark.parametrize(
    "amount", ["", " ", "-1", "+1", "1e3", "1,0", "1.0000000", "NaN", "inf", "free", "1 ", "\uff11", "0x1"]
)
def test_every_bad_amount_is_named_with_its_place(amount: str) -> None:
    bad = f'"{amount}"'
    text = (
        f"[USD]\nmargin_percent = {bad}\n"
        + HALF.replace('"1.0"', bad)
        + HALF.replace("default", "flex")
        + f"price = {bad}\n"
    )
    assert problems(text) == [
        f"USD: {place}: {DIGITS}" for place in ("margin_percent", "rows[0].cost", "rows[1].price")
    ]


@pytest.mark.parametrize("nothing", ["0", "0.000000"])
def test_a_cost_of_nothing_is_named_with_its_place(nothing: str) -> None:
    text = f"[USD]\nmargin_percent = '{nothing}'\n" + ROW.replace('"1.0"', f'"{nothing}"') + f"price = '{nothing}'\n"
    assert problems(text) == ["USD: rows[0].cost: must be more than 0"]


@pytest.mark.parametrize("amount", ["1000000.000001", "9999999"])
def test_an_amount_above_a_million_is_named_with_its_place(amount: str) -> None:
    says = "must be at most 1,000,000"
    text = f"[USD]\nmargin_percent = '{amount}'\n" + ROW.replace('"1.0"', f'"{amount}"')
    assert problems(text) == [f"USD: margin_percent: {says}", f"USD: rows[0].cost: {says}"]


def test_every_name_that_the_catalogue_does_not_have_is_named_with_its_place() -> None:
    text = """
[[USD.rows]]
models = ["sora-2", "seedance-1.0-pro-fast", "doubao-seedance-1-0-pro-250528"]
cost = "1"

[[USD.rows]]
models = []
cost = "1"

[[USD.rows]]
models = ["seedance-2.0-mini", "seedance-2.0-fast"]
resolutions = ["480p", "1080p", "4k", "720P"]
cost = "1"

[[USD.rows]]
models = ["seedance-1.5-pro"]
service_tier = "batch"
cost = "1"

[[USD.rows]]
models = ["seedance-2.5"]
service_tier = "flex"
cost = "nothing"
"""
    assert problems(text) == [
        f"USD: rows[4].cost: {DIGITS}",
        "USD: rows[0].models: there is no model sora-2",
        "USD: rows[0].models: there is no model doubao-seedance-1-0-pro-250528",
        "USD: rows[1].models: names no model",
        "USD: rows[2].resolutions: none of its models has 1080p",
        "USD: rows[2].resolutions: none of its models has 4k",
        "USD: rows[2].resolutions: none of its models has 720P",
        "USD: rows[3].service_tier: must be one of default, flex",
        "USD: rows[4].service_tier: must be one of default",
    ]


def test_a_resolution_that_one_of_the_models_has_is_in_order() -> None:
    text = (
        '[[USD.rows]]\nmodels = ["seedance-2.0", "seedance-2.0-mini"]\nresolutions = ["480p", "720p", "4k"]\ncost = "1"'
    )
    assert problems(text) == [f"USD: no row prices {use}" for use in uses_of(M20) if use.resolution == "1080p"]


def test_every_use_that_no_row_prices_is_named() -> None:
    missing = [use for use in uses_of("seedance-1.0-pro-fast") if use.service_tier == "flex"]
    assert len(missing) == 3
    assert problems(HALF) == [f"USD: no row prices {use}" for use in missing]
    assert str(missing[0]) == "seedance-1.0-pro-fast, 480p, flex, silent"
    with_video = '[[USD.rows]]\nmodels = ["seedance-2.5"]\ninput_video = false\ncost = "1"'
    assert problems(with_video)[0] == "USD: no row prices seedance-2.5, 480p, default, silent, video input"
    assert len(problems(with_video)) == 3 * 2
    nothing = problems('[[USD.rows]]\nmodels = ["seedance-2.5"]\nresolutions = []\ncost = "1"')
    assert nothing[0] == "USD: rows[0]: it prices nothing that there is"
    assert len(nothing) == 1 + len(uses_of(M25))
    assert problems("[USD]\nrows = []") == ["USD: rows: there is no price"]
    assert problems('[[USD.rows]]\nmodels = ["seedance-2.5", "seedance-2.5"]\ncost = "1"') == [
        "USD: rows[0].models: seedance-2.5 twice"
    ]


def test_every_use_that_two_rows_price_is_named_with_the_rows() -> None:
    twice = HALF + ROW + HALF.replace('"default"', '"flex"\nresolutions = ["720p"]')
    lines = problems(twice)
    assert lines == [
        f"USD: rows {'1, 2' if use.service_tier == 'flex' else '0, 1'} all price {use}"
        for use in uses_of("seedance-1.0-pro-fast")
        if use.service_tier == "default" or use.resolution == "720p"
    ]
    assert len(lines) == 4
    assert problems(ROW + ROW + ROW)[0].startswith("USD: rows 0, 1, 2 all price ")


def test_missing_overlapping_and_selling_below_cost_are_told_together() -> None:
    text = (
        HALF
        + 'price = "0.999999"'
        + HALF.replace('"default"', '"flex"\nresolutions = ["480p", "720p"]')
        + HALF.replace('"default"', '"flex"\nresolutions = ["720p"]')
        + 'price = "0"'
    )
    assert problems(text) == [
        "USD: rows 1, 2 all price seedance-1.0-pro-fast, 720p, flex, silent",
        "USD: no row prices seedance-1.0-pro-fast, 1080p, flex, silent",
        "USD: rows[0].price: 0.999999 is below its cost, 1.0",
        "USD: rows[2].price: 0 is below its cost, 1.0",
    ]


def test_a_price_that_is_the_cost_is_in_order_and_the_margin_leaves_it_alone() -> None:
    book = read_book("[USD]\nmargin_percent = '50'\n" + HALF + 'price = "1"' + HALF.replace("default", "flex"))
    rates = every_rate(book)
    for (_, use), rate in rates.items():
        assert rate == (Rate(1_000_000, 1_000_000) if use.service_tier == "default" else Rate(1_500_000, 1_000_000))


@given(cost=st.integers(1, 10**12), margin=st.integers(0, 10**12))
def test_a_margin_never_makes_a_price_below_the_cost_and_rounds_up(cost: int, margin: int) -> None:
    text = f'[USD]\nmargin_percent = "{margin / Decimal(MICRO):f}"\n' + ROW.replace(
        '"1.0"', f'"{cost / Decimal(MICRO):f}"'
    )
    for rate in every_rate(read_book(text)).values():
        exact = cost + Fraction(cost * margin, 100 * MICRO)
        assert rate.cost == cost <= exact <= rate.price < exact + 1


def test_a_wrong_book_is_not_stored(database_url: str) -> None:
    async def verb(db: Database) -> None:
        with pytest.raises(ValueError, match="no row prices"):
            await load_book(db, HALF, author="me")
        assert await db.fetchval("SELECT count(*) FROM price_book") == 0

    with_database(database_url, verb)


# The standard book. The vendor's list prices in dollars for a million tokens: without and with video in the input.

COSTS = {
    ("seedance-2.5", "480p"): ("10.7", "6.4"),
    ("seedance-2.5", "720p"): ("10.7", "6.4"),
    ("seedance-2.5", "1080p"): ("11.7", "7.0"),
    ("seedance-2.0", "480p"): ("7.0", "4.3"),
    ("seedance-2.0", "720p"): ("7.0", "4.3"),
    ("seedance-2.0", "1080p"): ("7.7", "4.7"),
    ("seedance-2.0", "4k"): ("4.0", "2.4"),
    ("seedance-2.0-fast", "480p"): ("5.6", "3.3"),
    ("seedance-2.0-fast", "720p"): ("5.6", "3.3"),
    ("seedance-2.0-mini", "480p"): ("3.5", "2.1"),
    ("seedance-2.0-mini", "720p"): ("3.5", "2.1"),
}
# Those without video in the input: with sound and silent, each at once and with flex. The dollar list has no flex price
# for 1.0, so the full one is taken.
COSTS_1 = {
    ("seedance-1.5-pro", "default"): {True: "2.4", False: "1.2"},
    ("seedance-1.5-pro", "flex"): {True: "1.2", False: "0.6"},
    ("seedance-1.0-pro", "default"): {False: "2.5"},
    ("seedance-1.0-pro", "flex"): {False: "2.5"},
    ("seedance-1.0-pro-fast", "default"): {False: "1.0"},
    ("seedance-1.0-pro-fast", "flex"): {False: "1.0"},
}


def listed(use: Use) -> Decimal:
    """What the vendor's list says of a use."""
    if (use.model, use.resolution) in COSTS:
        return Decimal(COSTS[use.model, use.resolution][use.input_video])
    return Decimal(COSTS_1[use.model, use.service_tier][use.audio])


def test_the_costs_of_the_standard_book_are_the_vendors_list() -> None:
    assert BOOK.book.default_currency == "USD"
    dollars = {use: rate for (currency, use), rate in BOOK.rates.items() if currency == "USD"}
    assert set(dollars) == {use for model in MODELS if model.name != LITE for use in uses(model)}
    assert {use: Decimal(rate.cost) / MICRO for use, rate in dollars.items()} == {use: listed(use) for use in dollars}
    assert all(rate.price == rate.cost * 6 // 5 for rate in dollars.values())
    assert {model for model, _ in COSTS} | {model for model, _ in COSTS_1} == {use.model for use in dollars}


def test_nothing_of_the_standard_book_is_lost_in_reading() -> None:
    said = tomllib.loads(TEXT)
    assert list(said) == list(BOOK.book.currencies)
    for name, part in said.items():
        assert [row.cost for row in BOOK.book.currencies[name].rows] == [row["cost"] for row in part["rows"]]


# What the vendor charges for 16:9, 5 seconds. The last column is the list's own, in thousandths of a dollar.


@pytest.mark.parametrize(
    ("model", "resolution", "input_video", "audio", "tokens", "micro", "dollars"),
    [
        ("seedance-2.5", "480p", False, True, 48_437, 518_275, "0.518"),
        ("seedance-2.5", "720p", False, True, 108_900, 1_165_230, "1.165"),
        ("seedance-2.5", "1080p", False, True, 245_025, 2_866_792, "2.867"),
        ("seedance-2.0", "480p", False, True, 50_638, 354_466, "0.354"),
        ("seedance-2.0", "720p", False, True, 108_900, 762_300, "0.762"),
        ("seedance-2.0", "1080p", False, True, 245_025, 1_886_692, "1.887"),
        ("seedance-2.0", "4k", False, True, 980_100, 3_920_400, "3.920"),
        ("seedance-2.0-fast", "720p", False, True, 108_900, 609_840, "0.610"),
        ("seedance-2.0-mini", "720p", False, True, 108_900, 381_150, "0.381"),
        ("seedance-1.5-pro", "720p", False, True, 108_900, 261_360, "0.261"),
        ("seedance-1.5-pro", "720p", False, False, 108_900, 130_680, "0.131"),
        ("seedance-1.0-pro", "720p", False, False, 103_818, 259_545, "0.260"),
        ("seedance-1.0-pro", "1080p", False, False, 246_840, 617_100, "0.617"),
        ("seedance-1.0-pro-fast", "1080p", False, False, 246_840, 246_840, "0.247"),
        ("seedance-2.5", "480p", True, True, 86_467, 553_388, "0.553"),
        ("seedance-2.5", "720p", True, True, 194_400, 1_244_160, "1.244"),
        ("seedance-2.5", "1080p", True, True, 437_400, 3_061_800, "3.062"),
        ("seedance-2.0", "480p", True, True, 90_396, 388_702, "0.389"),
        ("seedance-2.0", "720p", True, True, 194_400, 835_920, "0.836"),
        ("seedance-2.0", "1080p", True, True, 437_400, 2_055_780, "2.056"),
        ("seedance-2.0", "4k", True, True, 1_749_600, 4_199_040, "4.199"),
        ("seedance-2.0-fast", "720p", True, True, 194_400, 641_520, "0.642"),
        ("seedance-2.0-mini", "720p", True, True, 194_400, 408_240, "0.408"),
    ],
)
def test_worked_examples(
    model: str, resolution: str, input_video: bool, audio: bool, tokens: int, micro: int, dollars: str
) -> None:
    found = find(model)
    assert found is not None
    width, height = size(found, resolution, "16:9")
    assert tokens == (minimum(width, height, 5) if input_video else billed(width, height, 5))
    use = Use(model=model, resolution=resolution, input_video=input_video, audio=audio, service_tier="default")
    rate = BOOK.rate("USD", use)
    assert rate is not None
    assert price_of(tokens, rate.cost) == micro
    assert round(Decimal(micro) / MICRO + Decimal("0.0000005"), 3) == Decimal(dollars)
    assert cost_of(tokens, rate.cost) - micro == (tokens * rate.cost % MICRO > 0)


def test_an_order_is_priced_with_the_margin_and_rounded_in_the_customers_favour() -> None:
    order = accepted(model=M25, resolution="480p", ratio="16:9", duration=5)
    made = price(order, estimate(order), BOOK, "USD")
    assert made.tokens == Tokens(expected=48_437, most=48_437)
    assert made.rate == Rate(12_840_000, 10_700_000)
    assert (made.expected, made.most, made.currency, made.version) == (621_931, 621_931, "USD", 1)  # 0.62193108


def test_what_an_order_is_priced_by_is_what_the_list_depends_on() -> None:
    def of(**fields: Any) -> Decimal:
        order = accepted(**{"ratio": "16:9", "duration": 5} | fields)
        return Decimal(price(order, estimate(order), BOOK, "USD").rate.cost) / MICRO

    assert of(model=M20, resolution="4k") == Decimal("4.0")
    assert of(model=M20, resolution="4k", videos=videos(4.0)) == Decimal("2.4")
    assert of(model=M20, resolution="4k", videos=videos(None)) == Decimal("2.4")  # one that was not looked at yet
    assert (
        of(model=M25, resolution="1080p", generate_audio=False) == of(model=M25, resolution="1080p") == Decimal("11.7")
    )
    assert of(model=M15, generate_audio=True) == Decimal("2.4")
    assert of(model=M15, generate_audio=False) == Decimal("1.2")
    assert of(model=M15, generate_audio=True, service_tier="flex") == Decimal("1.2")
    assert of(model=M15, generate_audio=False, service_tier="flex") == Decimal("0.6")
    assert of(model=PRO, service_tier="flex") == Decimal("2.5")
    other = use_of(accepted(model=M20, resolution="480p"), "1080p")
    assert (other.model, other.resolution) == (M20, "1080p")


def test_what_the_book_does_not_price_is_refused() -> None:
    for currency, model in (("USD", LITE), ("EUR", M25)):
        order = accepted(model=model)
        with pytest.raises(AppError) as raised:
            price(order, estimate(order), BOOK, currency)
        assert (raised.value.code, raised.value.status, raised.value.param) == ("no_price", 403, "model")
        assert currency in raised.value.message
        assert order.model in raised.value.message


# Arithmetic

TOKENS = st.integers(0, 10**7) | st.integers(0, 1 << 40)
RATES = st.integers(0, 10**8) | st.integers(0, 10**12) | st.sampled_from([0, 1, MICRO - 1, MICRO, MICRO + 1])


@given(TOKENS, RATES)
def test_a_price_drops_the_fraction_and_a_cost_takes_it(tokens: int, rate: int) -> None:
    exact = Fraction(tokens * rate, MICRO)
    assert price_of(tokens, rate) <= exact < price_of(tokens, rate) + 1
    assert cost_of(tokens, rate) - 1 < exact <= cost_of(tokens, rate)
    assert isinstance(price_of(tokens, rate), int)


@given(TOKENS, TOKENS, RATES)
def test_more_tokens_never_cost_less(one: int, other: int, rate: int) -> None:
    few, many = sorted((one, other))
    assert price_of(few, rate) <= price_of(many, rate)
    assert price_of(few, rate) + price_of(many - few, rate) <= price_of(many, rate)  # splitting a bill gains nothing


# Orders

FIELDS = st.fixed_dictionaries(
    {"model": st.sampled_from([model.name for model in MODELS if model.name != LITE])},
    optional={
        "duration": st.sampled_from([4, 5, 7, 12, 15, 30, -1]),
        "resolution": st.sampled_from(["480p", "720p", "1080p", "4k"]),
        "ratio": st.sampled_from(["16:9", "1:1", "9:16", "21:9", "adaptive"]),
        "generate_audio": st.booleans(),
        "draft": st.booleans(),
        "service_tier": st.sampled_from(["default", "flex"]),
        "frames": st.sampled_from([29, 57, 121, 289]),
        "videos": st.lists(st.none() | st.floats(4, 7).map(lambda seconds: round(seconds, 3)), max_size=2).map(
            lambda lengths: videos(*lengths)
        ),
        "task_type": st.sampled_from(["auto", "reference", "edit", "extend"]),
    },
)


@given(FIELDS, st.data())
def test_what_is_shown_held_and_charged_fits_together(fields: dict[str, Any], data: st.DataObject) -> None:
    answer = ask(**fields)
    assume(isinstance(answer, Accepted))
    assert isinstance(answer, Accepted)
    order, tokens = answer.order, estimate(answer.order)
    event(f"{order.model} {order.resolution}")
    made = price(order, tokens, BOOK, "USD")
    assert made.tokens == tokens
    assert made.rate.price > made.rate.cost > 0
    assert 0 < made.expected <= made.most
    assert made.expected == tokens.expected * made.rate.price // MICRO
    assert made.most == tokens.most * made.rate.price // MICRO
    held = hold(rate=made.rate.price, quoted_tokens=tokens.expected, quoted=made.expected, amount=made.most)
    # no more than the most that the order can take: the customer pays exactly that, and nobody waives anything
    rendered = data.draw(st.integers(0, tokens.most))
    fits = decide.settle(held, rendered, made.rate.price)
    assert (fits.charged, fits.waived, fits.reason) == (rendered * made.rate.price // MICRO, 0, None)
    # without a count he pays what he was shown
    assert decide.settle(held, None, made.rate.price).charged == made.expected
    more = tokens.most + data.draw(st.integers(1, 1 << 40))
    above = decide.settle(held, more, made.rate.price)
    assert above.charged == made.most
    assert above.waived == more * made.rate.price // MICRO - made.most  # a token more may cost nothing more
    assert (above.reason is None) == (above.waived == 0)


@given(amount=RATES, quoted=TOKENS, of_order=RATES, tokens=st.none() | TOKENS, of_rendered=st.none() | RATES)
def test_no_charge_is_above_its_hold_whatever_was_rendered(
    amount: int, quoted: int, of_order: int, tokens: int | None, of_rendered: int | None
) -> None:
    made = decide.settle(hold(amount=amount, quoted_tokens=quoted, rate=of_order), tokens, of_rendered)
    counted = quoted if tokens is None else tokens
    rate = of_order if of_rendered is None else of_rendered
    assert (made.tokens, made.rate) == (counted, rate)
    assert 0 <= made.charged <= amount
    assert made.waived >= 0
    assert made.charged + made.waived == counted * rate // MICRO
    assert made.waived == 0 or made.charged == amount
    said = made.reason or ""
    assert [word in said for word in ("usage", "price book", "operator pays")] == [
        tokens is None,
        of_rendered is None,
        made.waived > 0,
    ]
    assert (made.reason is None) is (said == "")


def test_a_price_book_answers_for_its_own_currencies_only() -> None:
    text = ROW + ROW.replace("USD", "EUR").replace('"1.0"', '"2.0"')
    book = read_book(text)
    both = PriceBook(7, book, every_rate(book))
    use = uses_of("seedance-1.0-pro-fast")[0]
    assert both.rate("USD", use) == Rate(1_000_000, 1_000_000)
    assert both.rate("EUR", use) == Rate(2_000_000, 2_000_000)
    assert both.rate("CNY", use) is None
    assert book.default_currency == "USD"
