"""Texts in any script on paper: every letter is drawn, in the right order, and can be copied."""

import io
import unicodedata

import pytest
from reportlab.pdfgen.canvas import Canvas

from common.pdf import BOLD, ITALIC, REGULAR, _face_of, _outline, _shaped, broken, draw_text, register_fonts, text_width
from common.testing.pdfs import lines_of

NAMES = {
    "Latin": "Gülşən Əliyeva",
    "decomposed": "Zoe\u0308 N\u0303andu",
    "Vietnamese": "Nguyễn Thị Ánh",
    "Yoruba": "Adébáyọ̀ Ṣọlá",
    "Cyrillic": "Анна Ёлкина",
    "Kazakh": "Әсел Құлжанқызы",
    "Greek": "Ἀλέξανδρος Παπαδόπουλος",
    "Armenian": "Արամ Խաչատրյան",
    "Georgian": "ნინო ქართველი",
    "Hebrew": "דָּוִד בן־גוריון",
    "Arabic": "محمد بن عبد الله",
    "Persian": "فریدون می‌خواهم",
    "Urdu": "ڈاکٹر علی",
    "Syriac": "ܝܘܚܢܢ",
    "Thaana": "އަޙްމަދު",
    "NKo": "ߒߞߏ",
    "Devanagari": "श्रीकृष्ण त्रिवेदी",
    "Bengali": "শ্রীময়ী চট্টোপাধ্যায়",
    "Gurmukhi": "ਹਰਪ੍ਰੀਤ ਸਿੰਘ",
    "Gujarati": "નરેન્દ્ર મોદી",
    "Oriya": "ଶ୍ରୀ ଜଗନ୍ନାଥ",
    "Tamil": "ஸ்ரீநிவாசன்",
    "Telugu": "శ్రీనివాస్",
    "Kannada": "ಶ್ರೀನಿವಾಸ್",
    "Malayalam": "ശ്രീകുമാർ",
    "Sinhala": "ශ්‍රී ලංකා",
    "Thai": "สมชาย ใจดีพี่น้ำ",
    "Lao": "ສົມຈິດ",
    "Khmer": "ស្រីមុំ",
    "Burmese": "အောင်ဆန်းစုကြည်",
    "Tibetan": "བསྟན་འཛིན་རྒྱ་མཚོ",
    "Ethiopic": "አበበ ቢቂላ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ",
    "Cherokee": "ᏣᎳᎩ",
    "Inuktitut": "ᐃᓄᒃᑎᑐᑦ",
    "Tifinagh": "ⵜⵉⴼⵉⵏⴰⵖ",
    "Javanese": "ꦗꦮ",
    "Chinese": "伟 张",
    "Traditional Chinese": "張偉 龍",
    "Japanese": "やまだ タロウ 山田太郎",
    "Korean": "김철수 학습 12",
}
every_script = pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)


@pytest.fixture(autouse=True)
def _fonts() -> None:
    register_fonts()


def written(text: str, font: str = BOLD) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1, pageCompression=1)
    draw_text(canvas, text, 20, 700, font, 20)
    canvas.save()
    return file.getvalue()


@every_script
@pytest.mark.parametrize("font", [REGULAR, ITALIC, BOLD])
def test_every_letter_has_a_font(text, font):
    visible = [letter for letter in unicodedata.normalize("NFC", text) if unicodedata.category(letter) != "Cf"]

    assert [letter for letter in visible if _face_of(letter, font) is None] == []
    assert all(glyph.id for run in _shaped(unicodedata.normalize("NFC", text), font) for glyph in run.glyphs)


@every_script
def test_what_is_drawn_can_be_copied(text):
    assert lines_of(written(text)) == [unicodedata.normalize("NFC", text)]


def test_letters_that_change_beside_others_are_shaped():
    (joined,) = _shaped("عبد", BOLD)
    apart = [_shaped(letter, BOLD)[0].glyphs[0].id for letter in "عبد"]

    assert [glyph.id for glyph in joined.glyphs] != apart[::-1]
    assert len(_shaped("क्ष", BOLD)[0].glyphs) < len("क्ष")


def test_scripts_that_run_leftwards_stand_in_their_order():
    assert [run.characters.strip() for run in _shaped("Dr. שלום", BOLD)] == ["Dr.", "םולש"]
    # A number that follows belongs to the words that run leftwards, and keeps its own direction (rule N1 of annex 9).
    assert [run.characters.strip() for run in _shaped("Dr. שלום 2026", BOLD)] == ["Dr.", "2026", "םולש"]
    assert [run.characters.strip() for run in _shaped("שלום world", BOLD)] == ["world", "םולש"]


@pytest.mark.parametrize("letter", ["😀", "𓀀", "\ue000"])
def test_what_no_font_holds_is_a_box_that_can_be_seen(letter):
    (run,) = _shaped(letter, BOLD)

    assert _outline(run.face, run.glyphs[0].id)
    assert text_width(letter, BOLD, 20) > 5
    assert lines_of(written(f"A{letter}B")) == [f"A{letter}B"]


@every_script
def test_lines_fit_and_lose_nothing(text):
    lines = broken(text * 20, BOLD, 20, 150)

    assert len(lines) > 1
    assert max(text_width(line, BOLD, 20) for line in lines) <= 150
    assert "".join(lines).replace(" ", "") == unicodedata.normalize("NFC", text * 20).replace(" ", "")
    assert not any(unicodedata.combining(line[0]) for line in lines)


def test_the_same_text_gives_the_same_bytes():
    assert written("伟 张 محمد") == written("伟 张 محمد")
