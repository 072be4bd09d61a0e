"""The bundled tokenizer of encoder=tiny, trained on the bundled sample corpora."""
