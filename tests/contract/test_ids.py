"""Names that are made up can be typed anywhere."""

from shared.ids import new_id


def test_a_made_up_name_has_letters_and_digits_alone_and_comes_once() -> None:
    made = [new_id() for _ in range(2_000)]
    assert all(name.isascii() and name.isalnum() for name in made)
    assert len(set(made)) == len(made)
