"""What the PDFs of every app share: text in any script, lines that fit, and the answer that carries a PDF.

Text that the house font holds is written with it. Any other text is shaped by HarfBuzz with fonts chosen by script, its
glyphs are drawn as outlines, and the text itself lies invisibly on top, so that it can be searched and copied. A
character that no font holds is drawn as a box: no letter is left out in silence.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import uharfbuzz
from bidi import algorithm as bidi
from django.http import HttpResponse
from reportlab.pdfbase import pdfdoc, pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FONTS = Path(__file__).parent / "fonts"  # the licences lie beside them
REGULAR, ITALIC, BOLD = "PTSerif", "PTSerif-Italic", "PTSerif-Bold"  # Latin and Cyrillic
# What follows each of them where it lacks a letter. The fonts of single scripts have one weight.
SIMILAR = {REGULAR: "NotoSerif-Regular", ITALIC: "NotoSerif-Italic", BOLD: "NotoSerif-Bold"}
# These hold letters of many scripts: they are asked after the fonts of single scripts.
WIDE = ("NotoSansSymbols-Regular", "NotoSansMath-Regular", "NotoSansSymbols2-Regular", "DroidSansFallback")

JOINER = "\N{ZERO WIDTH JOINER}"
VIRAMA = 9  # the combining class of signs that join consonants in Indian scripts

Align = Literal["left", "middle", "right"]


@lru_cache(maxsize=1)
def register_fonts() -> None:
    for name, file in ((REGULAR, "PTF55F.ttf"), (ITALIC, "PTF56F.ttf"), (BOLD, "PTF75F.ttf")):
        pdfmetrics.registerFont(TTFont(name, FONTS / file))


def text_width(text: str, font: str, size: float) -> float:
    """In points."""
    return _unit_width(text, font) * size


def draw_text(canvas: Canvas, text: str, x: float, y: float, font: str, size: float, align: Align = "left") -> None:
    """One line in the canvas's fill colour; `x` is its left end, middle or right end, and `y` its baseline."""
    text = unicodedata.normalize("NFC", text)
    width = text_width(text, font, size)
    x -= {"left": 0.0, "middle": width / 2, "right": width}[align]
    if _is_plain(text, font):
        canvas.setFont(font, size)
        canvas.drawString(x, y, text)
        return
    pen = x
    code = []
    runs = _shaped(text, font)
    for run in runs:
        scale = size / run.face.units_per_em
        for glyph in run.glyphs:
            outline = _outline(run.face, glyph.id)
            if outline:
                left, bottom = pen + glyph.x_offset * scale, y + glyph.y_offset * scale
                code.append(f"q {scale:.6f} 0 0 {scale:.6f} {left:.3f} {bottom:.3f} cm {outline} f Q")
            pen += glyph.advance * scale
    canvas._code.extend(code)
    _write_invisibly(canvas, "".join(run.characters for run in runs), x, y, size, width)


def broken(text: str, font: str, size: float, width: float) -> list[str]:
    """The text in lines of at most this width, broken between words, or within one that is too long by itself."""
    lines = [""]
    for word in unicodedata.normalize("NFC", text).split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, font, size) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in _letters(word):
            if lines[-1] and text_width(lines[-1] + letter, font, size) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def pdf_response(name: str, content: bytes) -> HttpResponse:
    """For browsers to show. Whoever keeps it gets it under this name, in which no character needs quoting."""
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )


# --- Shaping ---------------------------------------------------------------------------------------------------------


class Face:
    """A font file, opened when it is first needed."""

    def __init__(self, name: str) -> None:
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(FONTS / "fallback" / f"{name}.ttf")))
        self.characters: set[int] = set(face.unicodes)
        self.units_per_em: int = face.upem
        self.font = uharfbuzz.Font(face)


class Glyph(NamedTuple):
    """A glyph's number in its font, and where it goes, in units of that font."""

    id: int
    advance: int
    x_offset: int
    y_offset: int


class Run(NamedTuple):
    """Glyphs of one font, and the characters that they stand for, both from left to right."""

    face: Face
    glyphs: list[Glyph]
    characters: str


@lru_cache(maxsize=64)
def _face(name: str) -> Face:
    return Face(name)


@lru_cache(maxsize=3)
def _face_names(font: str) -> tuple[str, ...]:
    """The fonts that are asked for a letter, in this order."""
    of_one_script = sorted(path.stem for path in (FONTS / "fallback").glob("*.ttf"))
    others = [name for name in of_one_script if name not in WIDE and not name.startswith("NotoSerif-")]
    return (SIMILAR[font], *others, *WIDE)


@lru_cache(maxsize=4096)
def _face_of(character: str, font: str) -> Face | None:
    return next((face for name in _face_names(font) if ord(character) in (face := _face(name)).characters), None)


def _is_plain(text: str, font: str) -> bool:
    """Whether the house font can write the text as it stands, letter after letter."""
    known = pdfmetrics.getFont(font).face.charToGlyph
    return all(ord(character) in known and not unicodedata.combining(character) for character in text)


@lru_cache(maxsize=4096)
def _unit_width(text: str, font: str) -> float:
    """The width at a size of one."""
    text = unicodedata.normalize("NFC", text)
    if _is_plain(text, font):
        return pdfmetrics.stringWidth(text, font, 1000) / 1000
    return sum(sum(glyph.advance for glyph in run.glyphs) / run.face.units_per_em for run in _shaped(text, font))


@lru_cache(maxsize=256)
def _shaped(text: str, font: str) -> tuple[Run, ...]:
    """The text's runs in the order in which they stand on the line, from left to right (Unicode's annex 9)."""
    runs = [
        (level, _shape(piece, face, rightwards=not level % 2))
        for level, same_level in _levels(text)
        for face, piece in _pieces(same_level, font)
    ]
    highest = max((level for level, _run in runs), default=0)
    for turned in range(highest, 0, -1):
        start = 0
        while start < len(runs):
            end = start
            while end < len(runs) and runs[end][0] >= turned:
                end += 1
            runs[start:end] = reversed(runs[start:end])
            start = max(end, start + 1)
    return tuple(run for _level, run in runs)


def _levels(text: str) -> Iterator[tuple[int, str]]:
    """The text in its own order, cut where the direction's embedding level changes; odd levels run leftwards."""
    storage = bidi.get_empty_storage()
    storage["base_level"] = base = bidi.get_base_level(text)
    storage["base_dir"] = "R" if base else "L"
    bidi.get_embedding_levels(text, storage)
    for position, character in enumerate(storage["chars"]):
        character["position"] = position
    bidi.explicit_embed_and_overrides(storage)
    bidi.resolve_weak_types(storage)
    bidi.resolve_neutral_types(storage, False)
    bidi.resolve_implicit_levels(storage, False)
    levels: list[int | None] = [None] * len(text)
    for character in storage["chars"]:
        levels[character["position"]] = character["level"]
    run, run_level = "", base
    for character, own in zip(text, levels, strict=True):
        level = run_level if own is None else own  # joiners and the like go with what stands before them
        if level != run_level and run:
            yield run_level, run
            run = ""
        run += character
        run_level = level
    if run:
        yield run_level, run


def _pieces(text: str, font: str) -> Iterator[tuple[Face, str]]:
    """The text cut where the font changes. Marks, joiners, spaces and signs stay with the letter before them."""
    piece, piece_face = "", None
    for character in text:
        face = _face_of(character, font)
        if piece_face and (
            unicodedata.category(character)[0] == "M"
            or (face is None and unicodedata.category(character) == "Cf")
            or (unicodedata.bidirectional(character) in {"WS", "ON", "CS"} and ord(character) in piece_face.characters)
        ):
            face = piece_face
        face = face or _face(SIMILAR[font])
        if piece_face and face is not piece_face:
            yield piece_face, piece
            piece = ""
        piece += character
        piece_face = face
    if piece and piece_face:
        yield piece_face, piece


def _shape(text: str, face: Face, *, rightwards: bool) -> Run:
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "ltr" if rightwards else "rtl"
    uharfbuzz.shape(face.font, buffer)
    return Run(
        face,
        [
            Glyph(info.codepoint, at.x_advance, at.x_offset, at.y_offset)
            for info, at in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        ],
        text if rightwards else text[::-1],
    )


def _letters(word: str) -> Iterator[str]:
    """The word in pieces that may be torn apart: a mark, or what is joined, stays with its letter."""
    letter = ""
    for character in word:
        is_joined = letter and (letter[-1] == "\N{ZERO WIDTH JOINER}" or unicodedata.combining(letter[-1]) == 9)
        if (
            letter
            and not is_joined
            and unicodedata.category(character)[0] != "M"
            and character != "\N{ZERO WIDTH JOINER}"
        ):
            yield letter
            letter = ""
        letter += character
    if letter:
        yield letter


# --- Writing ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def _outline(face: Face, glyph: int) -> str:
    """The glyph as PDF path operators, in units of its font."""
    path: list[str] = []
    at = [0.0, 0.0]

    def move(x: float, y: float, _data: object) -> None:
        at[:] = x, y
        path.append(f"{x:g} {y:g} m")

    def line(x: float, y: float, _data: object) -> None:
        at[:] = x, y
        path.append(f"{x:g} {y:g} l")

    def quadratic(cx: float, cy: float, x: float, y: float, data: object) -> None:
        """PDF has cubic curves alone."""
        x0, y0 = at
        cubic(x0 + (cx - x0) * 2 / 3, y0 + (cy - y0) * 2 / 3, x + (cx - x) * 2 / 3, y + (cy - y) * 2 / 3, x, y, data)

    def cubic(x1: float, y1: float, x2: float, y2: float, x: float, y: float, _data: object) -> None:
        at[:] = x, y
        path.append(f"{x1:.1f} {y1:.1f} {x2:.1f} {y2:.1f} {x:g} {y:g} c")

    functions = uharfbuzz.DrawFuncs()
    functions.set_move_to_func(move)
    functions.set_line_to_func(line)
    functions.set_quadratic_to_func(quadratic)
    functions.set_cubic_to_func(cubic)
    functions.set_close_path_func(lambda _data: path.append("h"))
    face.font.draw_glyph(glyph, functions)
    return " ".join(path)


INVISIBLE = "Invisible"


class InvisibleFont:
    """A PDF font without glyphs, whose codes mean characters: what is written with it can be searched and copied.

    As everywhere in PDFs, characters stand from left to right, and readers turn the scripts that run leftwards around.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.codes: dict[str, int] = {}
        self.meaning = pdfdoc.PDFStream()
        self.meaning.filters = [pdfdoc.PDFZCompress]
        document = canvas._doc
        dictionary, name = pdfdoc.PDFDictionary, pdfdoc.PDFName
        descriptor = {
            "Type": name("FontDescriptor"), "FontName": name(INVISIBLE), "Flags": 4, "ItalicAngle": 0, "Ascent": 800,
            "FontBBox": pdfdoc.PDFArray([0, -200, 1000, 800]), "Descent": -200, "CapHeight": 700, "StemV": 80,
        }  # fmt: skip
        system = {
            "Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"), "Supplement": 0,
        }  # fmt: skip
        letters = {
            "Type": name("Font"), "Subtype": name("CIDFontType2"), "BaseFont": name(INVISIBLE), "DW": 1000,
            "CIDSystemInfo": dictionary(system), "CIDToGIDMap": name("Identity"),
            "FontDescriptor": document.Reference(dictionary(descriptor), "invisibleDescriptor"),
        }  # fmt: skip
        whole = {
            "Type": name("Font"), "Subtype": name("Type0"), "BaseFont": name(INVISIBLE), "Encoding": name("Identity-H"),
            "DescendantFonts": pdfdoc.PDFArray([document.Reference(dictionary(letters), "invisibleLetters")]),
            "ToUnicode": document.Reference(self.meaning, "invisibleMeaning"),
        }  # fmt: skip
        document.idToObject["BasicFonts"].dict[INVISIBLE] = dictionary(whole)

    def encode(self, text: str) -> str:
        """In hexadecimal digits, four a character."""
        code = "".join(f"{self.codes.setdefault(character, len(self.codes) + 1):04X}" for character in text)
        self.meaning.content = self._to_unicode()
        return code

    def _to_unicode(self) -> str:
        pairs = [f"<{code:04X}> <{character.encode('utf-16-be').hex()}>" for character, code in self.codes.items()]
        blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
        return "\n".join(
            [
                "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
                "/CMapName /Invisible-UCS def /CMapType 2 def",
                "1 begincodespacerange <0000> <FFFF> endcodespacerange",
                *(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks),
                "endcmap CMapName currentdict /CMap defineresource pop end end",
            ]
        )


def _write_invisibly(canvas: Canvas, text: str, x: float, y: float, size: float, width: float) -> None:
    font = getattr(canvas, "invisible_font", None)
    if font is None:
        font = canvas.invisible_font = InvisibleFont(canvas)
    stretched = 100 * width / (len(text) * size)
    style = f"3 Tr /{INVISIBLE} {size:.3f} Tf {stretched:.3f} Tz 1 0 0 1 {x:.3f} {y:.3f} Tm"
    canvas._code.append(f"q BT {style} <{font.encode(text)}> Tj ET Q")
