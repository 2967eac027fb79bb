"""The films of the house, invented. A film plays for whoever is owed its role."""

from __future__ import annotations

from dataclasses import dataclass

CINEMA = "cinema"


@dataclass(frozen=True, slots=True)
class Film:
    """One film. `tint` is the colour of its poster, which templates/subscriptions/posters/<slug>.svg draws."""

    slug: str
    title: str
    year: int
    minutes: int
    line: str
    tint: str
    role: str = CINEMA

    @property
    def poster(self) -> str:
        return f"subscriptions/posters/{self.slug}.svg"


FILMS = (
    Film(
        "the-last-tram",
        "The Last Tram",
        2021,
        97,
        "A driver, one passenger, and a line that should have ended.",
        "#264a63",
    ),
    Film(
        "salt-and-paper", "Salt and Paper", 2018, 112, "Two sisters inherit a mill and one letter too many.", "#6a3b52"
    ),
    Film(
        "eleven-kopecks",
        "Eleven Kopecks",
        1987,
        84,
        "The sum does not add up, and an accountant cannot sleep.",
        "#77561f",
    ),
    Film(
        "north-by-lamplight",
        "North by Lamplight",
        2024,
        131,
        "A lighthouse, a winter, a radio that answers.",
        "#1f4d4a",
    ),
    Film(
        "the-cat-next-door",
        "The Cat Next Door",
        2020,
        76,
        "He has three homes and three names. For the whole family.",
        "#8a4a2b",
    ),
    Film(
        "a-day-in-reverse",
        "A Day in Reverse",
        2023,
        104,
        "She knows how it ends. She wants to know how it began.",
        "#3b3a70",
    ),
    Film("orchard-street", "Orchard Street", 1974, 119, "One yard, four seasons, and everybody's secrets.", "#3f5a2a"),
    Film("quiet-engines", "Quiet Engines", 2025, 93, "The night shift of a shipyard keeps a promise.", "#4a4650"),
)


def find(slug: str) -> Film | None:
    """The film of that address, if there is one."""
    return next((film for film in FILMS if film.slug == slug), None)
