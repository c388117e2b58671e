"""A simulated annealing solver for the travelling salesman problem.

It starts from a random tour and makes a fixed number of small changes. A change that makes the
tour shorter is always taken, one that makes it longer by d with probability exp(-d / temperature),
and the temperature falls from START to END. The same seed gives the same tour.

The values with a `# tune:` comment are what a tuner may change; anybody else may change anything.
"""

import math
import random

MOVES = 30_000  # the work that one call may do: with more, any values do well

START = 400.0  # tune: 1.0..3000.0 log
END = 10.0  # tune: 0.1..300.0 log
COOLING = "linear"  # tune: {linear, geometric}
NEIGHBOURS = 25  # tune: 3..51
RELOCATE = 0.2  # tune: 0..1


def solve(distance: list[list[int]], seed: int) -> list[int]:
    """A short round tour over all cities, as a list of their indices."""
    random_source = random.Random(seed)
    near = nearest_cities(distance, NEIGHBOURS)
    tour = list(range(len(distance)))
    random_source.shuffle(tour)
    for move in range(MOVES):
        heat = temperature(move / MOVES)
        if random_source.random() < RELOCATE:
            relocate_city(tour, distance, near, heat, random_source)
        else:
            reverse_stretch(tour, distance, near, heat, random_source)
    return tour


def temperature(progress: float) -> float:
    """The temperature when this share of all moves, 0 to 1, is done."""
    if COOLING == "geometric":
        return START * (END / START) ** progress
    return START + (END - START) * progress


def nearest_cities(distance: list[list[int]], count: int) -> list[list[int]]:
    """For each city the `count` cities that are nearest to it."""
    cities = range(len(distance))
    return [sorted(cities, key=row.__getitem__)[1 : count + 1] for row in distance]


def reverse_stretch(
    tour: list[int],
    distance: list[list[int]],
    near: list[list[int]],
    heat: float,
    random_source: random.Random,
) -> None:
    """Make a city and one that is near to it neighbours by turning the stretch between around."""
    size = len(tour)
    first = random_source.randrange(size)
    second = tour.index(random_source.choice(near[tour[first]]))
    if first > second:
        first, second = second, first
    a, b = tour[first], tour[(first + 1) % size]
    c, d = tour[second], tour[(second + 1) % size]
    change = distance[a][c] + distance[b][d] - distance[a][b] - distance[c][d]
    if is_accepted(change, heat, random_source):
        tour[first + 1 : second + 1] = tour[first + 1 : second + 1][::-1]


def relocate_city(
    tour: list[int],
    distance: list[list[int]],
    near: list[list[int]],
    heat: float,
    random_source: random.Random,
) -> None:
    """Take one city out of the tour and put it behind a city that is near to it."""
    size = len(tour)
    position = random_source.randrange(size)
    city = tour[position]
    before, after = tour[position - 1], tour[(position + 1) % size]
    target = random_source.choice(near[city])
    if target == before:
        return
    behind = tour[(tour.index(target) + 1) % size]
    change = distance[before][after] - distance[before][city] - distance[city][after]
    change += distance[target][city] + distance[city][behind] - distance[target][behind]
    if is_accepted(change, heat, random_source):
        del tour[position]
        tour.insert(tour.index(target) + 1, city)


def is_accepted(change: int, heat: float, random_source: random.Random) -> bool:
    """Whether a move that changes the tour's length by `change` is made."""
    return change <= 0 or random_source.random() < math.exp(-change / heat)
