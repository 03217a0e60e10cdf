"""Many conditions at once: only what changed or is due is evaluated, and nothing is missed."""

from hypothesis import given
from hypothesis import strategies as st

from cellctl.core.condition import Condition, For, Not, Truth, Watch
from cellctl.core.signal import Image, Quality, Sample, Signal
from cellctl.core.watchlist import Watchlist

NAMES = ("plc.a", "plc.b", "plc.c")
CONDITIONS: dict[str, Condition] = {
    "now": Truth("plc.a"),
    "soon": For(Truth("plc.a"), 20),
    "later": For(Not(Truth("plc.b")), 35),
}


def test_only_the_conditions_of_changed_signals_move() -> None:
    image = Image([Signal(name, "bool") for name in NAMES])
    watched = Watchlist(image, CONDITIONS)
    assert watched.refresh((), 0) == []
    image.take(Sample("plc.a", True, Quality.GOOD, 1, 1))
    assert watched.refresh(["plc.b", "plc.c"], 1) == []
    assert watched.watches["now"].value is None
    assert watched.refresh(["plc.a"], 1) == ["now", "soon"]
    assert watched.wake_at == 21
    assert watched.refresh((), 20) == []
    assert watched.refresh((), 21) == ["soon"]
    assert watched.wake_at is None


_CHANGES = st.tuples(st.integers(1, 30), st.sampled_from(NAMES), st.sampled_from([True, False, None]))


@given(st.lists(_CHANGES, max_size=25))
def test_it_knows_at_any_time_what_evaluating_everything_would_tell(
    changes: list[tuple[int, str, bool | None]],
) -> None:
    image, now = Image([Signal(name, "bool") for name in NAMES]), 0
    watched = Watchlist(image, CONDITIONS)
    naive = {name: Watch(condition) for name, condition in CONDITIONS.items()}
    for step, name, value in changes:
        end = now + step
        while watched.wake_at is not None and watched.wake_at < end:
            now = watched.wake_at
            compare(watched, naive, (), now)
        now = end
        quality = Quality.BAD if value is None else Quality.GOOD
        changed = image.take(Sample(name, value, quality, now, now))
        compare(watched, naive, [name] if changed else [], now)


def compare(watched: Watchlist, naive: dict[str, Watch], changed: list[str] | tuple[str, ...], now: int) -> None:
    before = {name: watch.value for name, watch in naive.items()}
    image = watched._image
    moved = [name for name in sorted(naive) if naive[name].update(image, now) is not before[name]]
    assert watched.refresh(changed, now) == moved
    assert {name: watch.value for name, watch in watched.watches.items()} == {
        name: watch.value for name, watch in naive.items()
    }
