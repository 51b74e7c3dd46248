"""Text from outside, made harmless to show. Pure."""


def escape(text: str) -> str:
    """
    `text` as one line that does nothing to a terminal or a log: what is not printable is escaped.

    Logins, paths and banners come from strangers.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
