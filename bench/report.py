"""What a run found: a table on the console, JSON and a picture in bench/results/."""

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
BAR, GAP, LEFT, RIGHT, WIDTH = 18, 8, 300, 170, 960


def print_speed(result: dict[str, Any]) -> None:
    machine = result["machine"]
    others = result["others_cores"]
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    print(
        f"{result['date']}, commit {result['commit']}{' with changes' if result['is_dirty'] else ''}, "
        f"seed {result['seed']}: {result['size']['courses']} courses × {result['size']['lessons']} lessons, "
        f"{result['size']['people']} people\n"
        f"{machine['cores']} cores, {machine['cpu']}, Python {machine['python']}, PostgreSQL {machine['postgresql']}; "
        f"{result['rounds']} rounds × {result['seconds']:g} s, {result['connections']} connections, "
        f"{result['workers']} processes; others used {others['median']:.2f} cores, at most {others['most']:.2f}"
    )
    page = None
    for row in result["rows"]:
        if row["page"] != page:
            page = row["page"]
            size = result["page_bytes"].get(page)
            print(f"\n{page}{f', {size:,} bytes' if size else ''}")
            print(
                f"  {'stack':36}{'req/s':>8}{'±':>6}{'p50 ms':>8}{'p99 ms':>8}{'Lyceum is':>11}"
                f"{'queries':>9}{'trips':>7}{'load cores':>12}{'calm rounds':>13}"
            )
        counted = row["statements"] or {"queries": "", "round_trips": ""}
        print(
            f"  {row['title']:36}{row['rate']:8.0f}{row['spread'] / 2:6.0%}{row['p50_ms']:8.1f}{row['p99_ms']:8.1f}"
            f"{row['product_times']:10.2f}{'×' if row['is_fair'] else '~'}"
            f"{counted['queries']:>9}{counted['round_trips']:>7}{row['client_cores']:>12.2f}{row['calm_rounds']:>13}"
        )


def print_small(name: str, result: dict[str, Any]) -> None:
    for what, values in result.items():
        listed = [f"{one}: {value:,}" for one, value in values.items()] if isinstance(values, dict) else [str(values)]
        print(f"{name}, {what}:  {'  '.join(listed)}")


def write(result: dict[str, Any]) -> None:
    """`<date>-<commit>[-changed][-<what>].json`, and for a speed run the picture beside it."""
    RESULTS.mkdir(exist_ok=True)
    parts = [result["date"], result["commit"]]
    parts += ["changed"] if result["is_dirty"] else []
    parts += [result["what"]] if result["what"] != "speed" else []
    path = RESULTS / f"{'-'.join(parts)}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"\n{path.relative_to(RESULTS.parent.parent)}")
    if result["what"] == "speed":
        path.with_suffix(".svg").write_text(picture(result))


def picture(result: dict[str, Any]) -> str:
    """Bars of requests per second, a group for each page; each group has a scale of its own."""
    pages: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        pages.setdefault(row["page"], []).append(row)
    parts, y = [], 64
    for page, rows in pages.items():
        parts.append(f'<text x="16" y="{y}" class="page">{escape(page)}</text>')
        y += GAP
        largest = max(row["rate"] for row in rows)
        for row in sorted(rows, key=lambda row: -row["rate"]):
            width = max(1, row["rate"] / largest * (WIDTH - LEFT - RIGHT))
            kind = "own" if row["stack"] == "product" else "peer"
            times = "" if row["stack"] == "product" else f", Lyceum {row['product_times']:.2f}×"
            middle = y + BAR - 5
            parts += [
                f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(row["title"])}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR}" class="{kind}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{middle}">{row["rate"]:.0f}{times}</text>',
            ]
            y += BAR + 4
        y += 28
    note = (
        f"{result['date']}, commit {result['commit']}{' with changes' if result['is_dirty'] else ''}, "
        f"seed {result['seed']}, {result['size']['courses']} courses × {result['size']['lessons']} lessons, "
        f"{result['machine']['cores']} cores {result['machine']['cpu']}"
    )
    style = (
        "text{font:13px sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}.page{font-weight:bold}"
        ".note{fill:#666}.own{fill:#2a6f4e}.peer{fill:#b8c4cc}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">'
        f'<style>{style}</style><rect width="{WIDTH}" height="{y}" fill="#fff"/>'
        f'<text x="16" y="24" class="title">Requests per second, medians</text>'
        f'<text x="16" y="42" class="note">{escape(note)}</text>{"".join(parts)}</svg>\n'
    )
