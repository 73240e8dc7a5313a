"""A User-Agent taken apart: which SDK or HTTP library, in which language, on behalf of which app. Pure.

`OpenAI/Python 2.54.0`                                openai-python 2.54.0, python
`AsyncAnthropic/Python 0.84.0`                        anthropic-python 0.84.0, python
`ollama-python/0.6.2 (x86_64 linux) Python/3.11.7`    ollama-python 0.6.2, python
`claude-cli/2.1.0 (external, cli)`                    app claude-cli
`MyApp/1.2 OpenAI/JS 6.49.0`                          app MyApp, openai-js 6.49.0, js
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_COMMENT: Final = re.compile(r"\([^()]{0,300}\)")
# Stainless' SDKs write `Name/Language version`; the generated ones all do.
_STAINLESS: Final = re.compile(
    r"(?:^|\s)(?:Async)?(Azure)?(OpenAI|Anthropic\w{0,16})/(Python|JS|Java|Kotlin|Go|Ruby|PHP|C#|CSharp)"
    r"(?:[ /]+([\w.+-]{1,40}))?"
)
_PRODUCT: Final = re.compile(r"(?:^|\s)([A-Za-z][\w.+-]{0,63})(?:/v?([\w.+-]{1,40}))?")
_LANGUAGES: Final = {"c#": "csharp", "go": "go", "js": "js"}

# Libraries that speak for an app, and their language.
_LIBRARIES: Final = {
    "ollama-python": "python",
    "ollama-js": "js",
    "ollama": "go",
    "litellm": "python",
    "langchain": "python",
    "langchainjs-openai": "js",
    "ai-sdk": "js",
    "python-requests": "python",
    "python-httpx": "python",
    "python-urllib": "python",
    "python-urllib3": "python",
    "aiohttp": "python",
    "go-http-client": "go",
    "node-fetch": "js",
    "node": "js",
    "undici": "js",
    "axios": "js",
    "bun": "js",
    "deno": "js",
    "okhttp": "java",
    "java-http-client": "java",
    "apache-httpclient": "java",
    "reqwest": "rust",
    "curl": None,
    "wget": None,
}
# Words of a User-Agent that name no app: languages, runtimes, engines.
_NO_APPS: Final = frozenset({"python", "go", "node.js", "linux", "darwin", "windows", "gecko", "cpython", "js", "java"})


class Agent(NamedTuple):
    """What a User-Agent says. None = it does not."""

    sdk: str | None = None
    sdk_version: str | None = None
    language: str | None = None
    app: str | None = None


@lru_cache(maxsize=2048)
def read_agent(text: str) -> Agent:
    """The parts of a User-Agent of at most some hundred characters. Never raises."""
    if text.startswith("Mozilla/"):
        return Agent(language="js", app="browser")
    text = _COMMENT.sub(" ", text)
    sdk = version = language = app = None
    stainless = _STAINLESS.search(text)
    if stainless is not None:
        azure, name, spoken, version = stainless.groups()
        language = _LANGUAGES.get(spoken.lower(), spoken.lower())
        sdk = f"{'azure-' if azure else ''}{name.lower()}-{language}"
        text = text[: stainless.start()] + " " + text[stainless.end() :]
    for name, said_version in _PRODUCT.findall(text):
        word = name.lower()
        if word in _LIBRARIES:
            if sdk is None:
                sdk, version, language = word, said_version or None, _LIBRARIES[word]
        elif app is None and word not in _NO_APPS and said_version:
            app = name
    return Agent(sdk, version, language, app)
