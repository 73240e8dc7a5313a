"""A stand-in for Ollama: faithful on the wire, says a fixed text. For first steps and tests."""
