"""What the stand-in says of itself, byte for byte, beside what real servers said."""

from __future__ import annotations

import pytest

from proxy.standin.server import StandIn
from proxy.standin.settings import Settings

from .peer import OLLAMA, WIRE, ask, chunk_sizes_fit, request_of, response_of, steady

# Generated, in both styles.
GENERATED = (
    "accept-gzip", "chat-empty-plain", "chat-empty-stream-usage", "chat-json-object-plain",
    "chat-json-schema-plain", "chat-length-plain", "chat-length-stream-usage", "chat-logprobs-plain",
    "chat-logprobs-stream-usage", "chat-loop-stream-usage", "chat-multi-turn", "chat-parts", "chat-plain",
    "chat-same-plain", "chat-same-stream-usage", "chat-slow-stream-usage", "chat-stream-usage", "chat-stream",
    "chat-think-none-stream-usage", "chat-think-plain", "chat-think-stream-usage", "chat-tool-result",
    "chat-tools-plain", "chat-tools-stream-usage", "chat-tools2-plain", "chat-tools2-stream-usage",
    "chat-unknown-fields", "chat-wide-plain", "chat-wide-stream-usage", "completions-empty-prompt-stream",
    "completions-empty-prompt", "completions-plain", "completions-same-stream-usage",
    "completions-stream-usage", "completions-stream", "embeddings-base64", "embeddings-float",
    "error-bad-effort", "error-bad-json", "error-embed-model-chat", "error-embeddings-tokens",
    "error-embeddings-unknown", "error-empty-body", "error-messages-no-max", "error-messages-unknown",
    "error-no-messages", "error-no-model", "error-not-object", "error-responses-unknown",
    "error-temperature-string", "error-think-unsupported", "error-tools-unsupported",
    "error-unknown-model-stream", "error-unknown-model", "expect-continue", "host-refused",
    "load-chat-stream-usage", "messages-plain", "messages-same-stream", "messages-stream",
    "messages-think-stream", "messages-tools-stream", "model-one", "models-encoded", "models-head",
    "native-blob-head-missing", "native-chat-length", "native-chat-load", "native-chat-logprobs",
    "native-chat-plain", "native-chat-same-stream", "native-chat-stream", "native-chat-think-plain",
    "native-chat-think-stream", "native-chat-tools-stream", "native-copy", "native-embed",
    "native-embeddings-old", "native-error-bad-json", "native-error-empty", "native-error-tools-unsupported",
    "native-error-unknown", "native-generate-json", "native-generate-load", "native-generate-plain",
    "native-generate-raw", "native-generate-stream", "native-generate-unload", "native-generate-wide-stream",
    "native-version", "no-content-type", "not-found", "origin-local", "origin-refused", "preflight",
    "queue-first", "queue-second-native", "queue-second", "request-gzip", "responses-plain",
    "responses-same-stream", "responses-stream", "responses-think-stream", "responses-tools-stream",
    "root-head", "root", "slow-chat-reload-plain", "trailing-slash", "wrong-method",
)  # fmt: skip

# Generated with a fault, which has to strike after as many tokens as it did when recorded.
KILLED = {
    "killed-runner-chat-plain": b"",
    "killed-runner-chat-stream-usage": b'"delta":{',
    "killed-runner-completions-stream-usage": b'"choices":[{',
    "killed-runner-messages-stream": b"content_block_delta\n",
    "killed-runner-native-chat-stream": b'"message":{',
    "killed-runner-native-generate-stream": b'"response":',
    "killed-runner-responses-stream": b"event: response.output_text.delta",
}

# Not compared here, each with its reason; test_replay.py sends them all.
ONLY_REPLAYED = {
    "models": "lists other models; test_catalog.py compares an entry",
    "native-tags": "lists other models; test_catalog.py compares an entry",
    "native-ps": "lists other models; test_catalog.py compares an entry",
    "native-show": "the weights are those of the recordings' models; test_catalog.py compares the shape",
    "native-delete": "deletes what native-copy made; test_catalog.py does both",
    "jinja-chat-stream-usage": "another template engine counts another prompt",
    "jinja-think-stream-usage": "another template engine counts another prompt",
    "jinja-tools-leak-stream-usage": "a parser's mistake of one model",
    "killed-server-chat-plain": "the server dies: no answer; test_faults.py has close-before-head",
    "killed-server-chat-stream-usage": "the server dies in mid-stream; test_faults.py has close-mid-stream",
    "killed-server-native-chat-stream": "the server dies in mid-stream; test_faults.py has close-mid-stream",
    "left-chat-plain": "the client leaves; test_leaving.py",
    "left-chat-stream-usage": "the client leaves; test_leaving.py",
}


def settings_of(folder: str) -> Settings:
    return Settings(style="old" if folder == "ollama-0.24" else "new", token_s=0)


@pytest.mark.parametrize("folder", OLLAMA)
@pytest.mark.parametrize("name", GENERATED)
async def test_generated_bytes_are_those_of_the_real_server(folder: str, name: str) -> None:
    stand_in = StandIn(settings=settings_of(folder))
    async with stand_in:
        got = await ask(stand_in, request_of(f"{folder}/{name}"))

    assert steady(response_of(f"{folder}/{name}")) == steady(got)
    assert chunk_sizes_fit(got)


@pytest.mark.parametrize("folder", OLLAMA)
@pytest.mark.parametrize("name", KILLED)
async def test_a_killed_runner_leaves_the_bytes_that_it_left_in_truth(folder: str, name: str) -> None:
    recorded = response_of(f"{folder}/{name}")
    said = recorded.count(KILLED[name]) if KILLED[name] else 3
    if name.startswith(("killed-runner-chat-stream", "killed-runner-completions")):
        said -= 1  # the junk event
    head, _, body = request_of(f"{folder}/{name}").partition(b"\r\n")
    request = head + b"\r\nx-stand-in: fault=junk-then-end;after=%d\r\n" % said + body
    async with StandIn(settings=settings_of(folder)) as stand_in:
        got = await ask(stand_in, request)

    assert steady(recorded) == steady(got)


@pytest.mark.parametrize("folder", OLLAMA)
def test_every_recording_is_either_generated_or_has_its_reason(folder: str) -> None:
    recorded = {path.stem for path in (WIRE / folder).glob("*.response")}
    known = {*GENERATED, *KILLED, *ONLY_REPLAYED}

    assert set() == recorded - known
    assert len(known) == len(GENERATED) + len(KILLED) + len(ONLY_REPLAYED)
