"""What is remembered by the grace of notifications."""

from seedance_api.foundation.heard_cache import HeardCache


class Ear:
    """Whether somebody hears."""

    def __init__(self) -> None:
        self.hears = True

    def __call__(self) -> bool:
        return self.hears


def test_what_is_remembered_is_believed_while_somebody_hears() -> None:
    ear = Ear()
    cache: HeardCache[str, int] = HeardCache(hears=ear, max_items=10, seconds=60)
    cache.put("a", 1, cache.epoch)
    assert (cache.get("a"), cache.get("b")) == (1, None)
    ear.hears = False
    assert cache.get("a") is None
    ear.hears = True
    assert cache.get("a") == 1


def test_it_is_believed_for_so_long() -> None:
    cache: HeardCache[str, int] = HeardCache(hears=Ear(), max_items=10, seconds=0)
    cache.put("a", 1, cache.epoch)
    assert cache.get("a") is None


def test_what_changed_is_forgotten_and_the_rest_is_not() -> None:
    cache: HeardCache[str, int] = HeardCache(hears=Ear(), max_items=10, seconds=60)
    for number, name in enumerate("abc"):
        cache.put(name, number, cache.epoch)
    cache.forget("a")
    assert [cache.get(name) for name in "abc"] == [None, 1, 2]
    cache.forget_where(lambda value: value == 1)
    assert [cache.get(name) for name in "abc"] == [None, None, 2]
    cache.forget_all()
    assert [cache.get(name) for name in "abc"] == [None, None, None]


def test_what_may_have_changed_on_its_way_is_not_remembered() -> None:
    cache: HeardCache[str, int] = HeardCache(hears=Ear(), max_items=10, seconds=60)
    for change in (lambda: cache.forget("other"), cache.forget_all, lambda: cache.forget_where(lambda _: False)):
        epoch = cache.epoch
        change()
        cache.put("a", 1, epoch)
        assert cache.get("a") is None


def test_the_oldest_go_when_there_are_too_many() -> None:
    cache: HeardCache[int, int] = HeardCache(hears=Ear(), max_items=100, seconds=60)
    for number in range(1000):
        cache.put(number, number, cache.epoch)
        assert sum(one in cache for one in range(1000)) <= 100
    assert cache.get(999) == 999
    assert cache.get(0) is None
