"""Covers: a gradient and a simple drawing of what the course is about. No text: no font is sure to be there."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import cos, sin, tau
from random import Random

from PIL import Image, ImageDraw

from common.demo import gradient

WIDTH, HEIGHT = 1280, 720
# Drawn this many times larger, then made smaller: smooth edges.
SCALE = 2

Colour = str | tuple[int, ...]
Point = tuple[float, float]
WHITE = (255, 255, 255)
INK = (17, 20, 45)


def draw_cover(motif: str, colors: list[str]) -> Image.Image:
    """The first two colours make the ground, the third stands out from it."""
    ground, other_ground, accent = colors
    picture = gradient((WIDTH * SCALE, HEIGHT * SCALE), ground, other_ground)
    pen = Pen(picture, accent)
    chance = Random(motif)
    for _ in range(3):
        x, y, radius = chance.randrange(WIDTH), chance.randrange(HEIGHT), chance.randrange(180, 420)
        pen.circle(x, y, radius, faint(14))
    MOTIFS[motif](pen)
    return picture.reduce(SCALE)


def faint(alpha: int, colour: tuple[int, int, int] = WHITE) -> Colour:
    return (*colour, alpha)


class Pen:
    """Draws in the cover's own coordinates; colours with an alpha let through what is below them."""

    def __init__(self, picture: Image.Image, accent: str) -> None:
        self.draw = ImageDraw.Draw(picture, "RGBA")
        self.accent = accent

    def box(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        corners = [SCALE * value for value in (x, y, x + width, y + height)]
        self.draw.rounded_rectangle(corners, SCALE * radius, fill=colour)

    def oval(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self.draw.ellipse([SCALE * value for value in (x, y, x + width, y + height)], fill=colour)

    def circle(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self.oval(x - radius, y - radius, 2 * radius, 2 * radius, colour)

    def ring(self, x: float, y: float, radius: float, colour: Colour, width: float = 6) -> None:
        corners = [SCALE * value for value in (x - radius, y - radius, x + radius, y + radius)]
        self.draw.ellipse(corners, outline=colour, width=round(SCALE * width))

    def line(self, points: Iterable[Point], colour: Colour, width: float = 6) -> None:
        scaled = [(SCALE * x, SCALE * y) for x, y in points]
        self.draw.line(scaled, fill=colour, width=round(SCALE * width), joint="curve")

    def shape(self, points: Iterable[Point], colour: Colour) -> None:
        self.draw.polygon([(SCALE * x, SCALE * y) for x, y in points], fill=colour)

    def card(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 22) -> None:
        """A box that throws a soft shadow."""
        for spread in range(24, 0, -4):
            self.box(x - spread, y + 14 - spread / 2, width + 2 * spread, height + 1.5 * spread, faint(7, INK), 40)
        self.box(x, y, width, height, colour, radius)

    def window(self, x: float, y: float, width: float, height: float, colour: Colour, bar: Colour) -> None:
        self.card(x, y, width, height, colour)
        self.box(x, y, width, 56, bar, 22)
        self.box(x, y + 34, width, 22, bar)
        for number, dot in enumerate(("#ff5f57", "#febc2e", "#28c840")):
            self.circle(x + 34 + 30 * number, y + 28, 9, dot)


def curve(start: Point, first: Point, second: Point, end: Point) -> list[Point]:
    """A cubic Bézier curve."""
    points = []
    for step in range(61):
        t = step / 60
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        corners = (start, first, second, end)
        points.append(
            (
                sum(weight * corner[0] for weight, corner in zip(weights, corners, strict=True)),
                sum(weight * corner[1] for weight, corner in zip(weights, corners, strict=True)),
            )
        )
    return points


def editor(pen: Pen) -> None:
    pen.window(300, 120, 680, 480, "#15172b", "#22253f")
    violet, green, white = "#a78bfa", "#6ee7b7", "#e2e8f0"
    lines: list[tuple[int, list[tuple[int, Colour]]]] = [
        (0, [(90, violet), (150, pen.accent), (60, white)]),
        (1, [(60, violet), (210, white)]),
        (2, [(130, white), (40, violet), (170, green)]),
        (2, [(80, violet), (120, white)]),
        (1, [(110, violet), (180, pen.accent)]),
        (0, []),
        (0, [(120, pen.accent), (70, white), (140, green)]),
    ]
    for row, (indent, words) in enumerate(lines):
        x, y = 400 + 52 * indent, 212 + 52 * row
        pen.box(334, y + 4, 22, 12, faint(40), 6)
        for width, colour in words:
            pen.box(x, y, width, 20, colour, 10)
            x += width + 18
    pen.box(766, 518, 4, 32, WHITE)


def browser(pen: Pen) -> None:
    pen.window(260, 100, 760, 520, "#f8fafc", "#e2e8f0")
    pen.box(390, 114, 560, 28, WHITE, 14)
    pen.box(296, 188, 688, 190, pen.accent, 18)
    for row, width in enumerate((250, 320, 210)):
        pen.box(330, 222 + 38 * row, width, 20, faint(235 if not row else 150), 10)
    pen.box(330, 334, 110, 26, WHITE, 13)
    pen.circle(860, 283, 66, faint(70))
    pen.circle(900, 260, 40, faint(130))
    for column in range(3):
        x = 296 + 236 * column
        pen.box(x, 404, 216, 180, WHITE, 16)
        pen.box(x + 18, 422, 180, 80, ("#c7d2fe", "#fbcfe8", "#bae6fd")[column], 12)
        pen.box(x + 18, 522, 150, 14, "#cbd5e1", 7)
        pen.box(x + 18, 548, 100, 14, "#e2e8f0", 7)


def database(pen: Pen) -> None:
    pen.card(200, 190, 520, 340, "#f8fafc")
    pen.box(200, 190, 520, 64, "#0f172a", 22)
    pen.box(200, 230, 520, 24, "#0f172a")
    for row in range(5):
        y = 190 + 64 * row
        if row == 3:
            pen.box(200, y + 2, 520, 62, pen.accent)
        for column, width in enumerate((60, 150, 110)):
            colour: Colour = faint(210) if row in {0, 3} else "#cbd5e1"
            pen.box(232 + (0, 110, 320)[column], y + 24, width - 14 * (row * (column + 1) % 3), 18, colour, 9)
    x, width = 800, 280
    for disk in range(3):
        y = 440 - 115 * disk
        shade = ("#1e293b", "#273449", "#334155")[disk]
        pen.oval(x, y + 70, width, 80, shade)
        pen.box(x, y + 30, width, 80, shade)
        pen.oval(x, y - 10, width, 80, "#475569" if disk < 2 else pen.accent)
        pen.circle(x + 44, y + 96, 8, pen.accent)


def branches(pen: Pen) -> None:
    main, feature, fix = 400, 230, 550
    pen.line([(110, main), (1170, main)], faint(230), 12)
    pen.line(curve((300, main), (400, main), (400, feature), (500, feature)), pen.accent, 12)
    pen.line([(500, feature), (790, feature)], pen.accent, 12)
    pen.line(curve((790, feature), (890, feature), (890, main), (990, main)), pen.accent, 12)
    pen.line(curve((460, main), (540, main), (540, fix), (620, fix)), "#7dd3fc", 12)
    pen.line(curve((620, fix), (740, fix), (700, main), (800, main)), "#7dd3fc", 12)
    dots: list[tuple[float, float, Colour]] = [(x, main, WHITE) for x in (170, 300, 460, 800, 990, 1110)]
    dots += [(x, feature, pen.accent) for x in (500, 645, 790)] + [(630, fix, "#7dd3fc")]
    for x, y, colour in dots:
        pen.circle(x, y + 6, 34, faint(50, INK))
        pen.circle(x, y, 32, colour)
        pen.circle(x, y, 17, "#1f2340")


def chart(pen: Pen) -> None:
    pen.card(220, 110, 840, 500, "#ffffff")
    for row in range(5):
        pen.line([(270, 190 + 85 * row), (1010, 190 + 85 * row)], "#e2e8f0", 2)
    heights = (90, 150, 120, 210, 180, 270, 310)
    for column, height in enumerate(heights):
        colour = pen.accent if column == len(heights) - 1 else "#c7d2fe"
        pen.box(292 + 103 * column, 530 - height, 60, height, colour, 12)
    trend = [(322.0 + 103 * column, 495.0 - height) for column, height in enumerate(heights)]
    for (x1, y1), (x2, y2) in pairwise(trend):
        middle = (x1 + x2) / 2
        pen.line(curve((x1, y1), (middle, y1), (middle, y2), (x2, y2)), "#312e81", 7)
    for x, y in trend:
        pen.circle(x, y, 13, "#312e81")
        pen.circle(x, y, 6, WHITE)


def network(pen: Pen) -> None:
    sizes = (4, 6, 6, 3)
    layers = [
        [(290 + 235 * column, 360 + (row - (size - 1) / 2) * (92 if size > 4 else 120)) for row in range(size)]
        for column, size in enumerate(sizes)
    ]
    chance = Random(7)
    for left, right in pairwise(layers):
        for start in left:
            for end in right:
                strength = chance.random()
                if strength < 0.6:
                    pen.line([start, end], pen.accent if strength < 0.2 else faint(60), 4)
    for layer in layers:
        for x, y in layer:
            pen.circle(x, y, 46, faint(20))
            pen.circle(x, y, 32, "#0b1030")
            pen.ring(x, y, 32, faint(220), 4)
            pen.circle(x, y, 18, pen.accent if chance.random() < 0.45 else faint(60))


def bezier(pen: Pen) -> None:
    for x, y, colour in ((480, 300, (255, 255, 255, 90)), (640, 430, (255, 255, 255, 70))):
        pen.circle(x, y, 190, colour)
    pen.circle(790, 290, 190, pen.accent)
    path = curve((230, 560), (420, 60), (860, 690), (1050, 150))
    pen.line(path, INK, 9)
    for anchor, handle in (((230, 560), (380, 200)), ((1050, 150), (900, 540))):
        pen.line([anchor, handle], faint(230), 4)
        pen.circle(*handle, 15, WHITE)
        pen.box(anchor[0] - 18, anchor[1] - 18, 36, 36, WHITE, 6)
        pen.box(anchor[0] - 11, anchor[1] - 11, 22, 22, INK, 3)


def bubbles(pen: Pen) -> None:
    pen.card(230, 130, 520, 270, "#ffffff", 60)
    pen.shape([(310, 380), (310, 480), (420, 390)], "#ffffff")
    for row, width in enumerate((360, 280, 200)):
        pen.box(290, 196 + 52 * row, width, 22, "#cbd5e1" if row else pen.accent, 11)
    pen.card(540, 320, 510, 240, pen.accent, 60)
    pen.shape([(970, 540), (970, 640), (860, 550)], pen.accent)
    for number in range(3):
        pen.circle(700 + 95 * number, 440, 28, faint(240 - 55 * number))


def aperture(pen: Pen) -> None:
    x, y, outer = 640, 360, 270
    pen.circle(x, y + 12, outer + 40, faint(60, INK))
    pen.circle(x, y, outer + 36, "#0f172a")
    pen.ring(x, y, outer + 20, faint(70), 5)
    blades = 7
    for blade in range(blades):
        turn = tau * blade / blades
        at = lambda angle, radius, turn=turn: (x + radius * cos(turn + angle), y + radius * sin(turn + angle))  # noqa: E731
        rim = [at(tau / blades * step / 8, outer) for step in range(9)]
        pen.shape([*rim, at(tau / blades + 0.75, 92), at(0.75, 92)], (255, 255, 255, 34 + 20 * (blade % 3)))
        pen.line([at(tau / blades, outer), at(tau / blades + 0.75, 92)], "#0f172a", 5)
    hole = [(x + 92 * cos(tau * b / blades + 0.75), y + 92 * sin(tau * b / blades + 0.75)) for b in range(blades)]
    pen.shape(hole, pen.accent)
    pen.circle(x - 22, y - 22, 20, faint(170))
    for mark in range(36):
        angle = tau * mark / 36
        near, far = outer + 52, outer + (78 if mark % 3 else 92)
        ends = [(x + radius * cos(angle), y + radius * sin(angle)) for radius in (near, far)]
        pen.line(ends, faint(120 if mark % 3 else 210), 4)


def coins(pen: Pen) -> None:
    for stack, height in enumerate((2, 3, 5, 7)):
        x = 230 + 215 * stack
        pen.oval(x - 10, 570, 190, 60, faint(50, INK))
        for coin in range(height):
            y = 548 - 40 * coin
            pen.oval(x, y, 170, 58, "#b45309")
            pen.box(x, y + 5, 170, 24, "#b45309")
            pen.oval(x, y - 24, 170, 58, "#fbbf24")
            pen.oval(x + 22, y - 16, 126, 42, "#fde68a")
    # The arrow bends with the stacks, above them.
    path = curve((220, 440), (480, 420), (720, 330), (960, 130))
    pen.line(path, pen.accent, 12)
    pen.shape([(1000, 84), (986, 172), (918, 116)], pen.accent)


def tree(pen: Pen) -> None:
    levels = [[(640.0, 130.0)], [(410.0, 290.0), (870.0, 290.0)]]
    levels.append([(x + dx, 450.0) for x, _y in levels[1] for dx in (-120, 120)])
    levels.append([(x + dx, 600.0) for x, _y in levels[2] for dx in (-55, 55)])
    path = [0, 1, 2, 5]
    for depth in range(3):
        for number, node in enumerate(levels[depth + 1]):
            pen.line([levels[depth][number // 2], node], faint(110), 6)
    pen.line([level[number] for level, number in zip(levels, path, strict=True)], pen.accent, 12)
    for depth, level in enumerate(levels):
        for number, (x, y) in enumerate(level):
            is_on_path = path[depth] == number
            pen.circle(x, y + 6, 46 - 5 * depth, faint(50, INK))
            pen.circle(x, y, 44 - 5 * depth, pen.accent if is_on_path else WHITE)
            pen.circle(x, y, 20 - 3 * depth, "#1e1b4b" if is_on_path else "#cbd5e1")


def layers(pen: Pen) -> None:
    for level, colour in enumerate(("#0b3b2e", "#14664d", "#2aa37a", pen.accent)):
        y = 500 - 105 * level
        pen.shape([(640, y - 120), (940, y + 10), (640, y + 140), (340, y + 10)], faint(60, INK))
        pen.shape([(340, y - 14), (640, y + 116), (640, y + 140), (340, y + 10)], faint(120, INK))
        pen.shape([(940, y - 14), (640, y + 116), (640, y + 140), (940, y + 10)], faint(80, INK))
        pen.shape([(640, y - 144), (940, y - 14), (640, y + 116), (340, y - 14)], colour)
    for row in range(3):
        x, y = 560 + 60 * row, 158 + 26 * row
        pen.line([(x, y + 22), (x + 120, y - 30)], faint(210), 10)


MOTIFS: dict[str, Callable[[Pen], None]] = {
    motif.__name__: motif
    for motif in (
        editor, browser, database, branches, chart, network, bezier, bubbles, aperture, coins, tree, layers,
    )
}  # fmt: skip
