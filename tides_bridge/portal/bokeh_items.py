"""What the script of Bokeh in a browser takes."""

from typing import Any


def bokeh_item(root: Any) -> dict[str, Any]:
    """
    Write a plot as `bokeh.embed.json_item` does, in a third of its time.

    That looks through all parts of a plot three times more than it writes them, for a document that others may share.
    This one is drawn once, and is nobody else's.

    Parameters
    ----------
    root
        A model of Bokeh that is in no document.

    Returns
    -------
    dict
        For ``Bokeh.embed.embed_item``.
    """
    from bokeh import __version__ as version
    from bokeh.core.serialization import Serializer

    roots = [Serializer(deferred=False).encode(root)]
    return {"root_id": root.id, "doc": {"version": version, "title": "", "roots": roots}, "version": version}
