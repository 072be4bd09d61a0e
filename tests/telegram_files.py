"""Small invented exports, written as Telegram Desktop writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEAD = """<!DOCTYPE html>
<html>

 <head>

  <meta charset="utf-8"/>
<title>Exported Data</title>

 </head>

 <body onload="CheckLocation();">

  <div class="page_wrap">

   <div class="page_header">

    <div class="content">

     <div class="text bold">
Название чата
     </div>

    </div>

   </div>

   <div class="page_body chat_page">

    <div class="history">
"""
TAIL = """
     <a class="pagination block_link" href="messages2.html">
Next messages
     </a>

    </div>

   </div>

  </div>

 </body>

</html>
"""
STICKER = """
       <div class="media_wrap clearfix">

        <div class="media clearfix pull_left media_photo">

         <div class="body">

          <div class="title bold">
Sticker
          </div>

          <div class="status details">
😂, 21.3 KB
          </div>

         </div>

        </div>

       </div>
"""
SERVICE = """
     <div class="message service" id="message-1">

      <div class="body details">
12 March 2024
      </div>

     </div>
"""


def message(body: str, joined: bool = False) -> str:
    """A message; `body` is HTML."""
    name = "" if joined else '       <div class="from_name">\nАнна Тайная \n       </div>\n'
    return f"""
     <div class="message default clearfix{" joined" if joined else ""}" id="message7">

      <div class="body">

       <div class="pull_right date details" title="12.03.2024 10:00:00 UTC+03:00">
10:00
       </div>

{name}
{body}
      </div>

     </div>
"""


def text(inner: str) -> str:
    """The text of a message."""
    return f'\n       <div class="text">\n{inner}\n       </div>\n'


def page(*messages: str) -> str:
    """A page of these messages."""
    return HEAD + "".join(messages) + TAIL


def write_page(path: Path, *texts: str) -> Path:
    """A page of messages with these texts (HTML)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(*(message(text(inner)) for inner in texts)), encoding="utf-8")
    return path


def result(*texts: Any, **more: Any) -> dict[str, Any]:
    """A result.json of one chat, of messages with these texts."""
    sender = {"date": "2024-03-12T10:00:00", "from": "Анна Тайная", "from_id": "user123456789"}
    messages = [
        {"id": number, "type": "message", **sender, "text": one, **more} for number, one in enumerate(texts)
    ]
    return {"name": "Название чата", "type": "public_supergroup", "id": 1, "messages": messages}


def write_result(path: Path, content: Any) -> Path:
    """Write a result.json as Telegram does, with indentation and without escapes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return path
