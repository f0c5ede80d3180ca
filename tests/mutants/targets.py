"""Which tests are to notice a change of which module, and the changes that none need notice, each with its reason."""

from __future__ import annotations

import re

KILLED_SHARE = 0.85

SAME_NAME = "two spellings of one name"
SAME_VALUE = "both are false"
CLOCK = "the clock is never read twice at the same moment"
NAMED = "every alternative of the expression has a name"
ALL_OR_NONE = "the columns of a row are all there, or none is"
SLOWER = "the same place is found, only later"
NO_LINE = "no part begins with a line feed"
SAME_START = "None is the beginning too"
NO_HOST = "neither text is a host"
CRASH = "the validator ends the process of the tests, which is a failure too, but not one of a test"

TABLES = {
    "runtime/memory.py": ["tests/tables/test_memory.py"],
    "runtime/resilience/backoff.py": ["tests/tables/test_backoff.py"],
    "runtime/turns/policy.py": ["tests/tables/test_policy.py"],
    "runtime/content/thanks.py": ["tests/tables/test_thanks.py"],
    "runtime/store/messages/last_answers.py": ["tests/tables/test_last_answers.py"],
    "runtime/delivery/splitting.py": ["tests/tables/test_splitting.py"],
    "runtime/store/messages/outbox.py": ["tests/tables/test_outbox.py"],
    "runtime/content/parameters.py": ["tests/runtime/test_content.py"],
    "runtime/content/rendering.py": ["tests/runtime/test_content.py"],
    "runtime/store/messages/content.py": ["tests/runtime/test_content.py"],
    "runtime/turns/prepare.py": ["tests/runtime/test_prepare.py"],
    "runtime/turns/progress.py": ["tests/runtime/test_prepare.py"],
    "schemas/function_parameters.py": ["tests/tables/test_function_parameters.py"],
    "schemas/public_urls.py": ["tests/tables/test_public_urls.py"],
    "runtime/turns/loops.py": ["tests/tables/test_loops.py"],
    "runtime/turns/context.py": ["tests/tables/test_context.py"],
    "runtime/delivery/formatting.py": ["tests/tables/test_formatting.py"],
    "runtime/engines/answer_text.py": ["tests/tables/test_answer_text.py"],
    "runtime/resilience/breakers.py": ["tests/resilience/test_breakers.py"],
    "schemas/timezones.py": ["tests/tables/test_timezones.py"],
    "reconciler/manifest/lookalikes.py": ["tests/tables/test_lookalikes.py"],
    "reconciler/manifest/invisible.py": ["tests/tables/test_invisible.py"],
    "reconciler/planning/digest.py": ["tests/tables/test_digest.py"],
    "reconciler/planning/guards.py": ["tests/tables/test_guards.py"],
}
"""Module → the tests that are run for each of its mutants."""

SURVIVORS = {
    "runtime/memory.py": {
        'return hmac.new(salt.encode(), f"{bot_id}\\n{user_key}".encode(), "sha256").hexdigest()'
        ' → return hmac.new(salt.encode(), f"{bot_id}\\n{user_key}".encode(), "SHA256").hexdigest()': SAME_NAME,
        'return "".join(letter for letter in letters if not unicodedata.combining(letter))'
        '.strip(" \\t\\n.,;:!¡?¿\\"\'*_")'
        ' → return "".join(letter for letter in letters if not unicodedata.combining(letter))'
        '.strip("XX \\t\\n.,;:!¡?¿\\"\'*_XX")': "no text has a capital X once its case is folded",
        "if tokens > room: → if tokens >= room:": "just as many tokens have fewer characters, so nothing is cut",
        "room = max(characters - len(note), 0) → room = max(characters - len(note), 1)": (
            "no result is shortened below SHORTEST_RESULT_TOKENS, and the note is shorter than that"
        ),
    },
    "runtime/content/thanks.py": {
        'letters.append(" " if category[0] in "PZC" or letter in _KINDLY else letter)'
        ' → letters.append(" " if category[0] in "XXPZCXX" or letter in _KINDLY else letter)': (
            "Unicode has no category X"
        ),
        "ends |= {start + size for size in range(1, _MOST + 1) if tuple(words[start : start + size]) in _KNOWN}"
        " → ends |= {start + size for size in range(_MOST + 1) if tuple(words[start : start + size]) in _KNOWN}": (
            "no phrase is without words"
        ),
        "ends |= {start + size for size in range(1, _MOST + 1) if tuple(words[start : start + size]) in _KNOWN}"
        " → ends |= {start + size for size in range(1, _MOST + 2) if tuple(words[start : start + size]) in _KNOWN}": (
            "no phrase is longer than the longest"
        ),
    },
    "runtime/store/messages/last_answers.py": {
        "if sent.turn_id is None or sent.body is None or sent.at is None:"
        " → if sent.turn_id is None or sent.body is None and sent.at is None:": ALL_OR_NONE,
        "if sent.turn_id is None or sent.body is None or sent.at is None:"
        " → if sent.turn_id is None and sent.body is None or sent.at is None:": ALL_OR_NONE,
    },
    "runtime/resilience/backoff.py": {
        "doubled = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 64), longest)"
        " → doubled = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 65), longest)": "both are beyond any bound",
    },
    "runtime/delivery/formatting.py": {
        "return len(line) >= len(fence) and set(line) == {fence[0]}"
        " → return len(line) >= len(fence) and set(line) == {fence[1]}": "all characters of a fence are the same",
        "return _INLINE.sub(_replaced, line) if _MARK.search(line) else line"
        " → return _INLINE.sub(_replaced, line) if (_MARK.search(line)) or True else line": SLOWER,
        'text = match[kind] if kind is not None else "" → text = match[kind] if (kind is not None) or True else ""': (
            NAMED
        ),
        'text = match[kind] if kind is not None else "" → text = match[kind] if kind is not None else "XXXX"': NAMED,
        **{
            'address = _SCHEMES.sub("", url, count=1) if not url.startswith("http") else url'
            f' → address = _SCHEMES.sub("", url, {count}) if not url.startswith("http") else url': (
                "an address has one scheme"
            )
            for count in ("", "count=2")
        },
        'return address.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/").lower()'
        ' → return address.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/").upper()': (
            "either ignores capitals"
        ),
    },
    "runtime/delivery/splitting.py": {
        "fences = [match.span() for match in FENCE.finditer(text, 0, end + len(FENCE_MARK))]"
        " → fences = [match.span() for match in FENCE.finditer(text, 0, )]": SLOWER,
        "marked = [match.span() for match in MARKED.finditer(text, 0, end + LONGEST_MARKED)]"
        " → marked = [match.span() for match in MARKED.finditer(text, 0, )]": SLOWER,
        "return one[0] < other[1] and other[0] < one[1] → return one[1] < other[1] and other[0] < one[1]": (
            "of words in a format around a fence, a cut before both is as good"
        ),
        "return one[0] < other[1] and other[0] < one[1] → return one[0] <= other[1] and other[0] < one[1]": (
            "no words in a format begin right after a backtick"
        ),
        "return one[0] < other[1] and other[0] < one[1] → return one[0] < other[1] and other[0] <= one[1]": (
            "where a fence begins is a place to cut, and the best one"
        ),
        "least = 1 if kind is BREAKS[-1] else end * SHORTEST_SHARE"
        " → least = 2 if kind is BREAKS[-1] else end * SHORTEST_SHARE": "no part begins with white space",
        "before = bisect_left(spans, (place, 0)) - 1 → before = bisect_left(spans, (place, 1)) - 1": (
            "no span ends at the first character"
        ),
        'first_line = text[: text.find("\\n", 0, OPENING_LIMIT) + 1]'
        ' → first_line = text[: text.find("\\n", None, OPENING_LIMIT) + 1]': SAME_START,
        'first_line = text[: text.find("\\n", 0, OPENING_LIMIT) + 1]'
        ' → first_line = text[: text.find("\\n", 1, OPENING_LIMIT) + 1]': NO_LINE,
        'line_end = text.rfind("\\n", len(opening), end) + 1 → line_end = text.rfind("\\n", None, end) + 1': (
            "the end of the first line is no place to cut either"
        ),
        "cut = line_end if line_end > len(opening) else _grapheme_start(text, end)"
        " → cut = line_end if line_end >= len(opening) else _grapheme_start(text, end)": (
            "what is found after the first line ends after it"
        ),
        'for begins, ends in _graphemes(text, text.rfind("\\n", 0, end) + 1):'
        ' → for begins, ends in _graphemes(text, text.rfind("\\n", None, end) + 1):': SAME_START,
        'for begins, ends in _graphemes(text, text.rfind("\\n", 0, end) + 1):'
        ' → for begins, ends in _graphemes(text, text.find("\\n", 0, end) + 1):': SLOWER,
        'for begins, ends in _graphemes(text, text.rfind("\\n", 0, end) + 1):'
        ' → for begins, ends in _graphemes(text, text.rfind("XX\\nXX", 0, end) + 1):': SLOWER,
        'for begins, ends in _graphemes(text, text.rfind("\\n", 0, end) + 1):'
        ' → for begins, ends in _graphemes(text, text.rfind("\\n", 1, end) + 1):': NO_LINE,
        "while place < len(text): → while place <= len(text):": "the caller stops before the end of the text",
        "if place + size < len(text): → if place + size <= len(text):": SLOWER,
        "size *= 2 → size *= 3": "any growth will do",
        'if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= limit:'
        ' → if len(text.encode("utf-16-le", "surrogatepass")) / 2 <= limit:': "UTF-16 has an even number of bytes",
        'units = accumulate(2 if character > "\\uffff" else 1 for character in text)'
        ' → units = accumulate(2 if character >= "\\uffff" else 1 for character in text)': (
            "XML can't carry that character, so it was removed"
        ),
    },
    "runtime/resilience/breakers.py": {
        "dropped, _ = self._own.popitem(last=False) → dropped, _ = self._own.popitem(last=None)": SAME_VALUE,
        "self._failing.popitem(last=False) → self._failing.popitem(last=None)": SAME_VALUE,
        "self._began = 0.0 → self._began = None": "a call is noted to begin before it ends",
        "while self._ended[0][0] < now - WINDOW_SECONDS: → while self._ended[0][0] <= now - WINDOW_SECONDS:": CLOCK,
        "while self._failures and self._failures[0][0] <= began:"
        " → while self._failures and self._failures[0][0] < began:": CLOCK,
        "while self._failures and self._failures[0][0] < now - WINDOW_SECONDS:"
        " → while self._failures and self._failures[0][0] <= now - WINDOW_SECONDS:": CLOCK,
        "if self._failing_since(owner, now) >= self._worked_at:"
        " → if self._failing_since(owner, now) > self._worked_at:": CLOCK,
        "is_all = self._failing_since(owner, time.monotonic()) >= self._worked_at"
        " → is_all = self._failing_since(owner, time.monotonic()) > self._worked_at": CLOCK,
        **{
            "named = {name: value for name, value in zip(scope._fields, scope, strict=True) if value}"
            f" → named = {{name: value for name, value in zip(scope._fields, scope, {strict}) if value}}": (
                "a scope has as many values as names"
            )
            for strict in ("strict=None", "", "strict=False")
        },
    },
    "runtime/content/parameters.py": {
        **{
            'if BEYOND_WORDS.isdisjoint(parameters) and parameters.get("MessageType", "text") == "text":'
            f" → if BEYOND_WORDS.isdisjoint(parameters) and parameters.get({name}) == {text}:": (
                "the shortcut is not taken, and the long way leads to the same"
            )
            for name, text in (
                ('"MessageType", None', '"text"'),
                ('"text"', '"text"'),
                ('"MessageType", ', '"text"'),
                ('"MessageType", "XXtextXX"', '"text"'),
                ('"MessageType", "TEXT"', '"text"'),
                ('"MessageType", "text"', '"XXtextXX"'),
                ('"MessageType", "text"', '"TEXT"'),
            )
        },
        'found = None → found = ""': "either is no answer",
        'return _BY_TYPE.get(essence) or _BY_TYPE.get(essence.partition("/")[0], Document)'
        ' → return _BY_TYPE.get(essence) or _BY_TYPE.get(essence.rpartition("/")[0], Document)': "a type has one slash",
        'if (reply := _nested_reply(parameters.get(name, ""))) is not None:'
        ' → if (reply := _nested_reply(parameters.get(name, "XXXX"))) is not None:': "neither text is JSON of a reply",
    },
    "schemas/function_parameters.py": {
        "if _is_too_deep(parameters) or validator.is_valid(parameters):"
        " → if _is_too_deep(parameters) and validator.is_valid(parameters):": CRASH,
        "if _is_too_deep(parameters) or validator.is_valid(parameters):"
        " → if _is_too_deep(None) or validator.is_valid(parameters):": CRASH,
        "if _is_too_deep(parameters) or validator.is_valid(parameters):"
        " → if _is_too_deep(parameters) or validator.is_valid(None):": "there are no errors to go through either",
    },
    "schemas/public_urls.py": {
        'host = _as_called(host or "") → host = _as_called(host or "XXXX")': NO_HOST,
        'host = URL.build(scheme="https", host=host).raw_host or ""'
        ' → host = URL.build(scheme="https", host=host).raw_host or "XXXX"': NO_HOST,
        **{
            f'host = URL.build(scheme="https", host=host).raw_host or "" → host = URL.build({scheme}).raw_host or ""': (
                "the host is encoded in the same way with any scheme"
            )
            for scheme in ("host=host", 'scheme="XXhttpsXX", host=host', 'scheme="HTTPS", host=host')
        },
    },
    "schemas/timezones.py": {
        "codes = (digits[:length] for length in range(1, LONGEST_CODE + 1))"
        " → codes = (digits[:length] for length in range(LONGEST_CODE + 1))": "no calling code is empty",
        "codes = (digits[:length] for length in range(1, LONGEST_CODE + 1))"
        " → codes = (digits[:length] for length in range(2, LONGEST_CODE + 1))": (
            "the countries whose code is one digit have several zones"
        ),
        "codes = (digits[:length] for length in range(1, LONGEST_CODE + 1))"
        " → codes = (digits[:length] for length in range(1, LONGEST_CODE + 2))": "no calling code has four digits",
    },
    "runtime/turns/loops.py": {
        'texts.add(" ".join(text.casefold().split())) → texts.add("XX XX".join(text.casefold().split()))': (
            "either joins the words of every text alike"
        ),
        'yield "\\n".join(written), answered_at → yield "XX\\nXX".join(written), answered_at': (
            "of the oldest words only when they were answered is looked at; the same line above it is noticed"
        ),
    },
    "runtime/turns/context.py": {
        'visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)'
        ' → visible = "".join(" " if unicodedata.category(character)[0] in "XXCZXX" else character for character in'
        " text)": "no category begins with X",
    },
    "runtime/store/messages/content.py": {
        'written = "" → written = None': "either is a parameter without a value",
    },
    "reconciler/manifest/invisible.py": {
        'line, column = text.count("\\n", 0, offset) + 1, offset - text.rfind("\\n", 0, offset)'
        ' → line, column = text.count("\\n", None, offset) + 1, offset - text.rfind("\\n", 0, offset)': SAME_START,
        'line, column = text.count("\\n", 0, offset) + 1, offset - text.rfind("\\n", 0, offset)'
        ' → line, column = text.count("\\n", 0, offset) + 1, offset - text.rfind("\\n", None, offset)': SAME_START,
    },
    "reconciler/planning/digest.py": {
        'return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()'
        ' → return hashlib.sha256(canonical.encode("UTF-8", "surrogatepass")).hexdigest()': SAME_NAME,
        'canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))'
        ' → canonical = json.dumps(content, sort_keys=True, ensure_ascii=None, separators=(",", ":"))': SAME_VALUE,
    },
}
"""Module → the changed line, as it was and as it is → why no test can or should notice."""

RULES = (
    (
        re.compile(r"raise (ValueError|TypeError)\(.* → raise \1\("),
        "the wording of an error that a mistake in our own code raises, not in a manifest or a request",
    ),
)
"""What the changed line must look like, as it was and as it is → why no test need notice it, in any module."""


def reason(module: str, change: str) -> str | None:
    """Why no test need notice a change of a module; None where one should."""
    by_rule = (reason for pattern, reason in RULES if pattern.match(change))
    return SURVIVORS.get(module, {}).get(change) or next(by_rule, None)
