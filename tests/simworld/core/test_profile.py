"""Shares, rates and sums, worked out by hand."""

from simworld.core.profile import Profile, ProfilePart, parts_since, sum_parts


def test_a_profile_as_data_names_what_is_left_over() -> None:
    parts = {
        "decode": ProfilePart(seconds=6.0, tokens=300),
        "storing": ProfilePart(seconds=1.0),
        "judging": ProfilePart(seconds=0.0, tokens=0),
    }
    assert Profile(wall_s=8.0, parts=parts).to_json() == {
        "wall_s": 8.0,
        "parts": {
            "decode": {"seconds": 6.0, "share": 0.75, "tokens": 300, "tokens_per_s": 50.0},
            "storing": {"seconds": 1.0, "share": 0.125},
            "judging": {"seconds": 0.0, "share": 0.0, "tokens": 0},
            "other": {"seconds": 1.0, "share": 0.125},
        },
    }


def test_no_time_at_all() -> None:
    assert Profile(wall_s=0.0, parts={}).to_json() == {
        "wall_s": 0.0,
        "parts": {"other": {"seconds": 0.0, "share": 0.0}},
    }


def test_what_was_spent_between_two_readings() -> None:
    before = {
        "decode": ProfilePart(seconds=2.0, tokens=10),
        "judging": ProfilePart(seconds=1.0, tokens=5),
    }
    now = {
        "decode": ProfilePart(seconds=5.0, tokens=40),
        "judging": ProfilePart(seconds=1.0, tokens=5),
        "sampling": ProfilePart(seconds=0.5, tokens=40),
    }
    assert parts_since(now, before) == {
        "decode": ProfilePart(seconds=3.0, tokens=30),
        "sampling": ProfilePart(seconds=0.5, tokens=40),
    }


def test_sums_of_two_models() -> None:
    one = {"decode": ProfilePart(seconds=1.0, tokens=10), "storing": ProfilePart(seconds=1.0)}
    two = {
        "decode": ProfilePart(seconds=2.0, tokens=20),
        "storing": ProfilePart(seconds=0.5),
        "prefill": ProfilePart(seconds=3.0, tokens=9),
    }
    assert sum_parts(one, two) == {
        "decode": ProfilePart(seconds=3.0, tokens=30),
        "storing": ProfilePart(seconds=1.5),
        "prefill": ProfilePart(seconds=3.0, tokens=9),
    }
