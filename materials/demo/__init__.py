"""The demo's courses, and who studies them.

What a teacher would write stands in `courses/`, a TOML file each; `learning` makes up who studies what, and
`pictures` draws the covers.
"""

from materials.demo.loading import clear, load, strangers

__all__ = ["clear", "load", "strangers"]
