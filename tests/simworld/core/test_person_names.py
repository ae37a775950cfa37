"""What people are called, out of their full names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.selection import read_folder
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER, LIBRARY_FOLDER
from simworld.core.person_names import first_word, short_name
from simworld.core.scenario import Persona


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Ann Lee", "Ann"),
        ("Cleo", "Cleo"),
        ("Mrs. Ana Lopes", "Ana"),
        ("Mrs Ana Lopes", "Ana"),
        ("MRS. ANA LOPES", "ANA"),
        ("Mrs. Lopes", "Mrs. Lopes"),
        ("Dr. Bruno Reis", "Bruno"),
        ("Prof. Dr. med. Hans Meier", "Hans"),
        ("Prof. Dr. Meier", "Prof. Dr. Meier"),
        ("Dr. Strange, MD", "Dr. Strange"),
        ("Mr. Adeyemi Jr.", "Mr. Adeyemi"),
        ('Dr. Strange: MD ("Steve")', "Strange"),
        ("Sister Agnes", "Sister Agnes"),
        ("Aunt May Parker", "May"),
        ("Captain Ahab", "Captain Ahab"),
        ("Herr Müller", "Herr Müller"),
        ("Frau Dr. Eva Müller", "Eva"),
        ("M. Jean Dupont", "Jean"),
        ("Mme Dupont", "Mme Dupont"),
        ("M Butterfly", "M"),
        ("Sra. Carmen Ruiz", "Carmen"),
        ("السيدة فاطمة العلي", "فاطمة"),
        ("د. سامي", "د. سامي"),
        ("Dr.", "Dr."),
        # Given names that are titles elsewhere
        ("Dean Martin", "Dean"),
        ("Don Draper", "Don"),
        ("Prince Rogers Nelson", "Prince"),
        ("Van Morrison", "Van"),
        ("Al Pacino", "Al"),
        ("Le Thi Hoa", "Le"),
        ("Les Paul", "Les"),
        ("J. Smith", "J."),
        # One name of several words
        ("van der Berg", "van der Berg"),
        ("Abd al Rahman Said", "Abd al Rahman"),
        ("Abu Bakr", "Abu Bakr"),
        ("عبد الله حسن", "عبد الله"),
        ("أم كلثوم", "أم كلثوم"),
        ("Leonardo da Vinci", "Leonardo"),
        # No name at all
        ("The Stranger", "The Stranger"),
        ("Der Vermieter", "Der Vermieter"),
        ("Le vendeur", "Le vendeur"),
        ("a neighbour", "a neighbour"),
        # Odd ones
        ("🦄 O'Malley-Ünïcødé", "O'Malley-Ünïcødé"),
        ("🦄", "🦄"),
        ("Lopes, Ana", "Lopes"),
        ("田中\u3000花子", "田中"),
        ("小红", "小红"),
        ("None", "None"),
        ("...", "..."),
        ("van", "van"),
    ],
)
def test_what_somebody_is_called(name: str, what: str) -> None:
    assert short_name(name) == what
    assert Persona(name=name).display_name == what
    assert Persona(name=name, short="Kit").display_name == "Kit"


@given(st.text(min_size=1).filter(str.strip))
def test_everybody_is_called_something(name: str) -> None:
    assert short_name(name).strip()
    assert "\n" not in short_name(name)


def test_nobody_in_the_shipped_scenarios_got_another_name() -> None:
    people = [
        seat.persona
        for found in (
            *read_folder(LIBRARY_FOLDER),
            *read_folder(HELDOUT_FOLDER),
            *read_folder(EXAM_FOLDER),
        )
        for seat in found.scenario.seats
    ]
    assert len(people) > 260
    assert {p.name for p in people if p.display_name != (p.short or first_word(p.name))} == set()
