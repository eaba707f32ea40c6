"""Reading PDFs of ours."""

import base64
import re
import zlib


def lines_of(document: bytes) -> list[str]:
    """What a PDF of ours reads, a line of text each: every string with the alphabet of its font."""
    objects = dict(re.findall(rb"(?s)(\d+) 0 obj\s(.*?)endobj", document))

    def stream(body):
        head, data = re.search(rb"(?s)(.*?)stream\r?\n(.*)endstream", body).groups()
        return zlib.decompress(base64.a85decode(data.strip()[:-2]) if b"ASCII85" in head else data)

    alphabets = {}
    for body in objects.values():
        if found := re.search(rb"/ToUnicode (\d+) 0 R", body):
            pairs = re.findall(rb"<(\w\w)> <(\w{4})>", stream(objects[found[1]]))
            name = re.search(rb"/Name /(\S+)", body)[1]
            alphabets[name] = {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
    (page,) = [body for body in objects.values() if re.search(rb"/Type /Page\s", body)]
    content = stream(objects[re.search(rb"/Contents (\d+) 0 R", page)[1]])
    lines, alphabet = [], {}
    for font, text, end in re.findall(rb"(?s)/(\S+) [\d.]+ Tf|\(((?:[^()\\]|\\.)*)\) Tj|(ET)", content):
        if font:
            alphabet = alphabets.get(font, {})
            lines.append("")
        elif not end:
            raw = re.sub(rb"(?s)\\(\d{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], text)
            lines[-1] += "".join(alphabet[code] for code in raw)
    return [line for line in lines if line]
