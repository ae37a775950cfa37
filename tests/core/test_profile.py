"""Shares, rates and sums, worked out by hand."""

from simworld.core.profile import Part, Profile, since, together


def test_a_profile_as_data_names_what_is_left_over() -> None:
    parts = {
        "decode": Part(seconds=6.0, tokens=300),
        "storing": Part(seconds=1.0),
        "judging": Part(seconds=0.0, tokens=0),
    }
    assert Profile(wall_s=8.0, parts=parts).plain() == {
        "wall_s": 8.0,
        "parts": {
            "decode": {"seconds": 6.0, "share": 0.75, "tokens": 300, "tokens_per_s": 50.0},
            "storing": {"seconds": 1.0, "share": 0.125},
            "judging": {"seconds": 0.0, "share": 0.0, "tokens": 0},
            "other": {"seconds": 1.0, "share": 0.125},
        },
    }


def test_no_time_at_all() -> None:
    assert Profile(wall_s=0.0, parts={}).plain() == {"wall_s": 0.0, "parts": {"other": {"seconds": 0.0, "share": 0.0}}}


def test_what_was_spent_between_two_readings() -> None:
    before = {"decode": Part(seconds=2.0, tokens=10), "judging": Part(seconds=1.0, tokens=5)}
    now = {
        "decode": Part(seconds=5.0, tokens=40),
        "judging": Part(seconds=1.0, tokens=5),
        "sampling": Part(seconds=0.5, tokens=40),
    }
    assert since(now, before) == {"decode": Part(seconds=3.0, tokens=30), "sampling": Part(seconds=0.5, tokens=40)}


def test_sums_of_two_models() -> None:
    one = {"decode": Part(seconds=1.0, tokens=10), "storing": Part(seconds=1.0)}
    two = {"decode": Part(seconds=2.0, tokens=20), "storing": Part(seconds=0.5), "prefill": Part(seconds=3.0, tokens=9)}
    assert together(one, two) == {
        "decode": Part(seconds=3.0, tokens=30),
        "storing": Part(seconds=1.5),
        "prefill": Part(seconds=3.0, tokens=9),
    }
