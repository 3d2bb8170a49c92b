"""Templates compiled once for each language, with their texts already in it.

A page has forty texts and few of them change from one request to the next: looking each up again costs more
than the rest of the page. So `_("My orders")` becomes the translation when a template is compiled, and
`_("Pay %(amount)s", amount=price)` the translation around its values; only plurals are looked up while it is drawn.
"""

import re
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, Self

import flask_babel
from babel.support import NullTranslations
from flask.templating import Environment as FlaskEnvironment
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer

_FUNCTIONS = frozenset({"_", "gettext"})
_VALUE_IN_TEXT = re.compile(r"%\((\w+)\)s")


class _Translated(NodeTransformer):
    """Puts the translation in the place of each `_("…")`; values keep their place in it, and are escaped there."""

    def __init__(self, catalogue: NullTranslations) -> None:
        self._catalogue = catalogue

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        # What is written out as it stands needs not be put together first.
        node.nodes = [part for child in node.nodes for part in self._parts(child) or [child]]
        self.generic_visit(node)
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        parts = self._parts(node)
        if not parts:
            return node
        return parts[0] if len(parts) == 1 else nodes.Concat(parts, lineno=node.lineno)

    def _parts(self, node: nodes.Expr) -> list[nodes.Expr]:
        """Return what a text is made of, by turns words and values; nothing when it is no text."""
        if not isinstance(node, nodes.Call) or node.dyn_args or node.dyn_kwargs or len(node.args) != 1:
            return []
        is_gettext = isinstance(node.node, nodes.Name) and node.node.name in _FUNCTIONS
        text = node.args[0]
        if not is_gettext or not isinstance(text, nodes.Const):
            return []
        values = {pair.key: pair.value for pair in node.kwargs}
        words, *rest = _VALUE_IN_TEXT.split(self._catalogue.ugettext(text.value))
        parts = [_trusted(words, node.lineno)]
        for name, words in zip(rest[::2], rest[1::2], strict=True):
            parts += [values[name], _trusted(words, node.lineno)]
        return parts


def _trusted(words: str, lineno: int) -> nodes.Expr:
    # As Jinja's own function does it: `%%` is one sign, and a translation is trusted as its template is.
    return nodes.MarkSafeIfAutoescape(nodes.Const(words.replace("%%", "%")), lineno=lineno)


class Environment(FlaskEnvironment):
    """Gives out a template in the language of the request. Safe between threads."""

    _catalogue: NullTranslations | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._by_language: dict[Any, Self] = {}
        self._making = threading.Lock()

    def get_template(
        self, name: str | Template, parent: str | None = None, globals: Mapping[str, Any] | None = None
    ) -> Template:
        """Return a template; one that another includes or extends is in the language of that one."""
        environment = self if self._catalogue is not None else self._in_language_of_request()
        return super(Environment, environment).get_template(name, parent, globals)  # type: ignore[arg-type]

    def make_globals(self, d: Mapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return what a template finds besides what it is given.

        Jinja makes a chain of two, which each import and include copies name by name. Ours are all there before
        the first template is.
        """
        return {**self.globals, **(d or {})}

    def _in_language_of_request(self) -> Self:
        language = flask_babel.get_locale()
        with self._making:
            if language not in self._by_language:
                self._by_language[language] = self._translated_by(flask_babel.get_translations())
            return self._by_language[language]

    def _translated_by(self, catalogue: NullTranslations) -> Self:
        translated = self.overlay()
        translated._catalogue = catalogue
        return translated

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        if self._catalogue is not None:
            source = _Translated(self._catalogue).visit(source)
        return super()._generate(source, *args, **options)
