"""Measures solver.py on berlin52, an instance of TSPLIB whose shortest tour is known: 7542.

It trusts nothing that the solver says: it checks the tours and computes their lengths itself.
"""

import math
import sys
from pathlib import Path

from solver import solve

OPTIMUM = 7542
SEEDS = range(1, 11)


def read_cities(path: Path) -> list[tuple[float, float]]:
    """The coordinates in a TSPLIB file."""
    section = path.read_text().split("NODE_COORD_SECTION")[1].split("EOF")[0]
    rows = [line.split() for line in section.strip().splitlines()]
    return [(float(x), float(y)) for _, x, y in rows]


def distances(cities: list[tuple[float, float]]) -> list[list[int]]:
    """All distances, rounded as TSPLIB's EUC_2D demands."""
    return [[int(math.dist(one, other) + 0.5) for other in cities] for one in cities]


def tour_length(tour: list[int], distance: list[list[int]]) -> int:
    """The length of a round tour. Ends the program when it is not one."""
    if sorted(tour) != list(range(len(distance))):
        sys.exit("the solver did not return a tour that visits every city exactly once")
    return sum(distance[tour[i - 1]][tour[i]] for i in range(len(tour)))


def main() -> None:
    distance = distances(read_cities(Path(__file__).with_name("berlin52.tsp")))
    lengths = []
    for seed in SEEDS:
        # The solver gets a copy: it must not be able to change the map that it is measured on.
        tour = solve([row.copy() for row in distance], seed)
        lengths.append(tour_length(tour, distance))
    mean = sum(lengths) / len(lengths)
    print(f"tour_length: {mean:.1f}")
    print(f"gap_percent: {(mean / OPTIMUM - 1) * 100:.2f}")


if __name__ == "__main__":
    main()
