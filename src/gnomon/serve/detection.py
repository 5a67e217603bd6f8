"""`DetectionWork`: where in a text a machine took over, read in the engine's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gnomon.detect.detection import Draft, draft_from, judge
from gnomon.detect.head import Head, load_head
from gnomon.detect.passage import Passage
from gnomon.detect.sentences import split_sentences
from gnomon.errors import DataError, UsageError
from gnomon.serve.events import Detected, Event
from gnomon.serve.work import ReadingWork

if TYPE_CHECKING:
    from gnomon.engine import Session
    from gnomon.models import Model, Tokenizer

MOST_SENTENCES = 2000  # each of which takes time and some kilobytes


class TextDetector:
    """Reads with the model that is served, as `gnomon detect --model` does: the head says which
    models it can be read with, and its answers say when that is not the one it learned with.
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, *, context: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._context = context
        self._head = load_head()

    def work(
        self, text: str, *, threshold: float | None, client: str, deadline_s: float
    ) -> DetectionWork:
        """Raises ModelError if the model is not one that the head can be read with, DataError if
        the text is none, UsageError if it is too long.
        """
        self._head.require_fit(self._model)
        if "\0" in text:
            raise DataError("the text holds null characters: it is no text")
        sentences = split_sentences(text)
        if len(sentences) > MOST_SENTENCES:  # which is told before they are brought into form
            raise UsageError(
                f"the text has {len(sentences)} sentences; at most {MOST_SENTENCES} are "
                "taken here, and gnomon detect reads longer ones"
            )
        draft = draft_from(sentences)
        passage = Passage(
            self._tokenizer,
            draft.normal,
            layers=self._head.probes.layers,
            hidden_size=self._model.config.hidden_size,
            window=self._context,
            project=self._head.probes,
        )
        return DetectionWork(
            passage,
            draft,
            self._head,
            reader=self._model.name,
            threshold=threshold,
            client=client,
            deadline_s=deadline_s,
        )


class DetectionWork(ReadingWork):
    """One text, read some rows at a time."""

    def __init__(
        self,
        passage: Passage,
        draft: Draft,
        head: Head,
        *,
        reader: str,
        threshold: float | None,
        client: str,
        deadline_s: float,
    ) -> None:
        super().__init__(passage.tokens, client=client, deadline_s=deadline_s)
        self._passage = passage
        self._draft = draft
        self._head = head
        self._reader = reader
        self._threshold = threshold

    def read_alone(self, session: Session, rows: int) -> Sequence[Event]:
        self._passage.read_on(session, rows)
        self.read = self._passage.done
        if not self._passage.is_read:
            return []
        self.read = self.prompt.size
        self.is_done = True
        found = judge(
            self._draft,
            self._passage.reading(),
            self._head,
            reader=self._reader,
            threshold=self._threshold,
        )
        return [Detected(found=found)]
