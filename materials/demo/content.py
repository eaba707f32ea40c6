"""Reads what the demo's courses say."""

import tomllib
from pathlib import Path
from typing import Any

CATEGORIES = {
    "programming": "Программирование",
    "web": "Веб-разработка",
    "data": "Данные и машинное обучение",
    "design": "Дизайн и фотография",
    "languages": "Иностранные языки",
    "finance": "Финансы",
}


def read_courses() -> dict[str, dict[str, Any]]:
    """The courses by key, which is the name of the file."""
    files = sorted((Path(__file__).parent / "courses").glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}
