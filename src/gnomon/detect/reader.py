"""`Reader`: a language model that reads a text once and says how it went.

>>> reader = Reader(open_model("out/smollm2-2bit"))                   # doctest: +SKIP
>>> reader.read(["It was late.", "The bell rang."]).log_probabilities  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.detect.passage import WINDOW, Passage, Reading
from gnomon.detect.piece_means import Project
from gnomon.engine import Engine
from gnomon.errors import ModelError
from gnomon.models import require_tokenizer
from gnomon.models.model import Model
from gnomon.progress import OnProgress, Progress

__all__ = ["Reader", "Reading"]


class Reader:
    """Reads with `model`; `layers` are the numbers of those whose hidden states are kept."""

    def __init__(
        self, model: Model, *, layers: Sequence[int] = (), threads: int | None = None
    ) -> None:
        self.model = model
        self.layers = tuple(layers)
        if self.layers and not 0 <= min(self.layers) <= max(self.layers) < model.config.num_layers:
            raise ModelError(
                f"{model.name} has {model.config.num_layers} layers; the hidden states after "
                f"{', '.join(map(str, self.layers))} (from 0) were asked for"
            )
        self._tokenizer = require_tokenizer(model)
        self._engine = Engine(model, threads=threads)
        self.threads = self._engine.threads
        self._session = self._engine.session(min(WINDOW, model.config.max_context))

    def one_a_thread(self, most: int) -> list[Reader]:
        """As many readers as this one has threads, but at most `most`, of one thread each, which
        can read at once.
        """
        if self.threads == 1:
            return [self]
        count = min(self.threads, most)
        return [Reader(self.model, layers=self.layers, threads=1) for _ in range(count)]

    def read(
        self,
        pieces: Sequence[str],
        *,
        project: Project | None = None,
        on_progress: OnProgress = lambda progress: None,
    ) -> Reading:
        """Read `pieces`, which a space parts, in windows of 512 tokens, and keep their states or
        what `project` makes of these, which takes less memory. Raises DataError if there is
        nothing to read, ModelError if the model computes what is no number.
        """
        passage = Passage(
            self._tokenizer,
            pieces,
            layers=self.layers,
            hidden_size=self.model.config.hidden_size,
            window=self._session.capacity,
            project=project,
        )

        def show() -> None:
            on_progress(Progress(stage="reading", done=passage.done, total=passage.total))

        show()
        while not passage.is_read:
            passage.read_on(self._session)
            show()
        return passage.reading()
