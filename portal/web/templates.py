"""Templates compiled once for each language, with their texts already in it.

A page has forty texts and few of them change from one request to the next: looking each up again costs more
than the rest of the page. So `_("My orders")` becomes the translation when a template is compiled; only texts
with values in them are looked up while it is drawn.
"""

import threading
from collections.abc import Mapping
from typing import Any, Self

import flask_babel
from babel.support import NullTranslations
from flask.templating import Environment as FlaskEnvironment
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

_FUNCTIONS = frozenset({"_", "gettext"})


class _Translated(NodeTransformer):
    """Puts the translation in the place of each `_("…")` without values."""

    def __init__(self, catalogue: NullTranslations) -> None:
        self._catalogue = catalogue

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        is_gettext = isinstance(node.node, nodes.Name) and node.node.name in _FUNCTIONS
        if not is_gettext or node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) != 1:
            return node
        text = node.args[0]
        if not isinstance(text, nodes.Const):
            return node
        # As Jinja's own function does it: `%%` is one sign, and a translation is trusted as its template is.
        translated = Markup(self._catalogue.ugettext(text.value)) % {}  # noqa: S704
        return nodes.MarkSafeIfAutoescape(nodes.Const(str(translated)), lineno=node.lineno)


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
