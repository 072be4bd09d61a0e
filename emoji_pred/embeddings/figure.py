"""The label embeddings as a PNG by matplotlib, with emoji from a colour font where there is one."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoji_pred.embeddings.labels import Label, members
from emoji_pred.embeddings.layout import SIDE, fit, mark_height, mark_sizes, spread
from emoji_pred.errors import UserError

# Fonts of bitmaps have one size: Noto's 109 (CBDT), Apple's 160; the others scale.
BITMAP_SIZES = (109, 160, 136, 128)
KNOWN_FONTS = (
    "/System/Library/Fonts/Apple Color Emoji.ttc",
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "C:/Windows/Fonts/seguiemj.ttf",
)
PANEL_INCHES, DOTS_PER_INCH = 6.5, 130
PAD = 3  # around a mark, in units of the square
TEST_GLYPH = "😂"


class EmojiFont:
    """A font from which pictures of emoji are drawn.

    Args:
        path: of the font's file.

    Raises:
        UserError: the file is no font, or it draws no coloured emoji.
    """

    def __init__(self, path: Path) -> None:
        from PIL import ImageFont

        self.path = path
        for size in BITMAP_SIZES:
            try:
                self._font = ImageFont.truetype(str(path), size)
            except OSError:  # no font, or no bitmaps of this size
                continue
            if _is_coloured(self.picture(TEST_GLYPH)):
                return
        raise UserError(f"{path} has no coloured emoji that can be drawn here")

    def picture(self, text: str) -> np.ndarray:
        """An emoji as a picture without a border: (height, width, 4) uint8; empty where it has none."""
        from PIL import Image, ImageDraw

        size = int(self._font.size)
        canvas = Image.new("RGBA", (3 * size, 2 * size))
        ImageDraw.Draw(canvas).text((size // 2, size // 2), text, font=self._font, embedded_color=True)
        box = canvas.getbbox()
        return np.asarray(canvas.crop(box)) if box else np.zeros((0, 0, 4), dtype=np.uint8)


def _is_coloured(picture: np.ndarray) -> bool:
    """Whether a picture has a pixel that is no grey."""
    return bool(picture.size and (np.ptp(picture[..., :3].astype(int), axis=-1) > 32).any())


def find_emoji_font() -> EmojiFont | None:
    """The first colour font that fontconfig knows, or that lies where systems keep theirs."""
    try:
        listed = subprocess.run(
            ["fc-list", ":color=true", "file"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    found = [line.rstrip().removesuffix(":") for line in listed.splitlines()]
    for name in (*sorted(found, key=lambda path: "emoji" not in path.lower()), *KNOWN_FONTS):
        try:
            if Path(name).is_file():
                return EmojiFont(Path(name))
        except UserError:
            continue
    return None


def draw(
    labels: Sequence[Label],
    coordinates: Mapping[str, np.ndarray],
    remarks: Mapping[str, str],
    title: str,
    font: EmojiFont | None,
) -> bytes:
    """The projections side by side, as a PNG.

    Args:
        labels: C classes.
        coordinates: of each projection, (C, 2).
        remarks: on each projection.
        title: above all.
        font: draws the emoji; None writes their names.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("embeddings.png needs a package: pip install 'emoji_pred[figures]'") from None

    figure = Figure((PANEL_INCHES * len(coordinates), PANEL_INCHES + 0.8), dpi=DOTS_PER_INCH)
    panels = figure.subplots(1, len(coordinates), squeeze=False)[0]
    pictures = [font.picture(one.shown) if font is not None and one.is_emoji else None for one in labels]
    is_glyph = [picture is not None and picture.size > 0 for picture in pictures]
    texts = ["" if glyph else _short(one.name) for glyph, one in zip(is_glyph, labels, strict=True)]
    sizes = mark_sizes(texts, is_glyph)
    for panel, (name, plane) in zip(panels, coordinates.items(), strict=True):
        panel.set(xlim=(0, SIDE), ylim=(SIDE, 0), xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"{name} ({remarks[name]})", fontsize=11)
        _marks(panel, labels, pictures, texts, spread(fit(plane), sizes + 2 * PAD + 2), sizes)
    figure.suptitle(_without_emoji(title), fontsize=13)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _marks(
    panel: Any,
    labels: Sequence[Label],
    pictures: Sequence[np.ndarray | None],
    texts: Sequence[str],
    places: np.ndarray,
    sizes: np.ndarray,
) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import FancyBboxPatch

    count = len(members(labels))
    height = mark_height(len(labels))
    points = PANEL_INCHES * 72 / SIDE * 0.94  # of one unit of the square
    for one, picture, text, (x, y), (width, tall) in zip(labels, pictures, texts, places, sizes, strict=True):
        tint = colormaps["hsv"](one.cluster / count)
        corner = (x - width / 2, y - tall / 2)
        shape = f"round,pad={PAD},rounding_size={tall / 2}"
        colours: dict[str, Any] = {"facecolor": (*tint[:3], 0.15), "edgecolor": (*tint[:3], 0.5)}
        panel.add_patch(FancyBboxPatch(corner, width, tall, boxstyle=shape, linewidth=0.8, **colours))
        if not text and picture is not None:
            scale = 0.86 * height / max(picture.shape[:2])
            wide, high = picture.shape[1] * scale / 2, picture.shape[0] * scale / 2
            panel.imshow(
                picture,
                extent=(x - wide, x + wide, y + high, y - high),
                interpolation="antialiased",
                zorder=3,
            )
        else:
            panel.text(x, y, text, ha="center", va="center", fontsize=0.78 * tall * points, parse_math=False)
    panel.set(xlim=(0, SIDE), ylim=(SIDE, 0))  # pictures change them


def _short(name: str) -> str:
    """The English name of an emoji without the words that most of them have."""
    return " ".join(word for word in name.split() if word not in ("face", "with")) or name


def _without_emoji(text: str) -> str:
    """Fonts of text have no emoji, and matplotlib draws boxes for them."""
    return "".join(character for character in text if ord(character) < 0x2000)
