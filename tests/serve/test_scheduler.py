"""Many texts at once: each as if it were alone, nobody starved, nothing kept that is over."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from gnomon.engine import Engine, Sampler, SamplingOptions, generate
from gnomon.models import open_model
from gnomon.serve.events import Failed, Finished, PromptRead, TextAdded
from gnomon.serve.generation import GenerationOptions, GenerationWork
from gnomon.serve.metrics import Metrics
from gnomon.serve.scheduler import DrainingError, QueueFullError, Scheduler
from gnomon.serve.waiting import WaitingLine
from gnomon.serve.work import EmbeddingWork

ENDLESS = {0: -100.0, 2: -100.0}


@pytest.fixture(scope="module")
def engine(tiny):
    return Engine(open_model(tiny), threads=1)


class Desk:
    """A scheduler and all that it reported."""

    def __init__(self, engine, **settings):
        self.tokenizer = engine.model.tokenizer
        settings = {"slots": 3, "context": 512, "max_waiting": 8} | settings
        self.scheduler = Scheduler(engine, metrics=Metrics(), **settings)
        self.events = {}

    async def __aenter__(self):
        self.news = asyncio.Event()
        self.scheduler.start(asyncio.get_running_loop(), self._deliver)
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self.scheduler.stop)

    def _deliver(self, work, event):
        self.events.setdefault(work, []).append(event)
        self.news.set()

    def work(self, prompt, *, tokens=20, seed=1, client="a", after=None, time_s=60.0, **options):
        return GenerationWork(
            np.array(prompt, np.int32),
            GenerationOptions(
                max_tokens=tokens,
                sampling=SamplingOptions(temperature=1.0, seed=seed),
                logit_bias=ENDLESS,
                **options,
            ),
            tokenizer=self.tokenizer,
            client=client,
            deadline_s=time.monotonic() + time_s,
            after=after,
        )

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def done(self, *works):
        def is_over(work):
            return any(isinstance(event, (Finished, Failed)) for event in self.events.get(work, []))

        await self.until(lambda: all(map(is_over, works)))

    def text(self, work):
        return "".join(e.text for e in self.events[work] if isinstance(e, TextAdded))

    def cached(self, work):
        return next(e.cached_tokens for e in self.events[work] if isinstance(e, PromptRead))


def run(coroutine):
    return asyncio.run(coroutine)


def prompt(length, seed=0):
    return np.random.default_rng(seed).integers(3, 40, length).tolist()


def test_texts_are_the_same_in_company_as_alone(engine):
    async def main():
        async with Desk(engine) as desk:
            texts = {}
            for seed in range(5):
                alone = desk.work(prompt(5 + 40 * seed, seed), seed=seed)
                desk.scheduler.submit([alone])
                await desk.done(alone)
                texts[seed] = desk.text(alone)
            together = [desk.work(prompt(5 + 40 * seed, seed), seed=seed) for seed in range(5)]
            desk.scheduler.submit(together)
            await desk.done(*together)
            assert [desk.text(work) for work in together] == list(texts.values())
            assert len(set(texts.values())) == 5

    run(main())


def test_a_likeliest_text_is_the_engines_own(engine):
    expected = [t.token for t in generate(engine, prompt(9), max_tokens=20)]

    async def main():
        async with Desk(engine) as desk:
            work = GenerationWork(
                np.array(prompt(9), np.int32),
                GenerationOptions(max_tokens=20, top_scores=0),
                tokenizer=desk.tokenizer,
                client="a",
                deadline_s=time.monotonic() + 60,
            )
            desk.scheduler.submit([work])
            await desk.done(work)
            events = [e for e in desk.events[work] if isinstance(e, TextAdded)]
            tokens = [score.token for event in events for score in event.scores]
            stops = set(desk.tokenizer.eos_ids)
            cut = next((i for i, t in enumerate(expected) if t in stops), len(expected))
            assert tokens == expected[:cut]

    run(main())


def likeliest(desk, tokens, *, count=60):
    return GenerationWork(
        np.array(tokens, np.int32),
        GenerationOptions(max_tokens=count, top_scores=0, logit_bias=ENDLESS),
        tokenizer=desk.tokenizer,
        client="a",
        deadline_s=time.monotonic() + 60,
    )


def tokens_of(desk, work):
    added = [event for event in desk.events[work] if isinstance(event, TextAdded)]
    return [score.token for event in added for score in event.scores]


@pytest.fixture
def guessed(monkeypatch):
    """Of each guess that is read, how many events came of it."""
    counts = []
    read_guess = GenerationWork.read_guess

    def watched(work, session, guess):
        events = read_guess(work, session, guess)
        counts.append(len(events))
        return events

    monkeypatch.setattr(GenerationWork, "read_guess", watched)
    return counts


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_a_likeliest_text_alone_is_guessed_and_the_same(engine, monkeypatch, guessed, count):
    text = prompt(12) * 4

    def choose(self, logits, seen):
        """Mostly what the text said before, so that guesses are right, sometimes wrong."""
        return seen[-12] if len(seen) % 5 else int(logits.argmax())

    monkeypatch.setattr(Sampler, "choose", choose)

    async def main():
        async with Desk(engine) as desk:
            first = likeliest(desk, text, count=count)
            desk.scheduler.submit([first])
            await desk.done(first)
            # What was guessed wrongly is taken back: the next turn goes on from what was said.
            longer = [*text, *tokens_of(desk, first), *prompt(3)]
            second = likeliest(desk, longer, count=count)
            desk.scheduler.submit([second])
            await desk.done(second)
            assert desk.cached(second) == len(text) + count - 1
            ends = [desk.events[work][-1] for work in (first, second)]
            return [tokens_of(desk, work) for work in (first, second)], ends

    with_guesses = run(main())
    assert max(guessed, default=0) > 1 or count < 7  # several tokens of one step
    guessed.clear()
    monkeypatch.setattr(GenerationWork, "guess", lambda work: [])
    assert run(main()) == with_guesses
    assert not guessed


def test_nothing_is_guessed_in_company_or_by_chance(engine, monkeypatch, guessed):
    monkeypatch.setattr(Sampler, "choose", lambda self, logits, seen: seen[-12])

    async def main():
        async with Desk(engine) as desk:
            by_chance = desk.work(prompt(12) * 4, tokens=40)
            desk.scheduler.submit([by_chance])
            await desk.done(by_chance)
            together = [likeliest(desk, prompt(12, seed) * 4) for seed in (1, 2)]
            desk.scheduler.submit(together)
            await desk.done(*together)

    run(main())
    assert not guessed


def test_the_next_turn_of_a_chat_reads_what_is_new(engine):
    async def main():
        async with Desk(engine) as desk:
            first = desk.work(prompt(50), tokens=1)
            other = desk.work(prompt(60, 7), tokens=1)
            desk.scheduler.submit([first, other])
            await desk.done(first, other)
            second = desk.work([*prompt(50), *prompt(10, 3)])
            desk.scheduler.submit([second])
            await desk.done(second)
            assert desk.cached(second) == 50

    run(main())


def test_answers_to_one_prompt_read_it_once(engine):
    async def main():
        async with Desk(engine) as desk:
            first = desk.work(prompt(100))
            others = [desk.work(prompt(100), seed=seed, after=first) for seed in (2, 3, 4)]
            desk.scheduler.submit([first, *others])
            await desk.done(first, *others)
            assert [desk.cached(work) for work in [first, *others]] == [0, 99, 99, 99]
            fresh = desk.work(prompt(100), seed=3)
            desk.scheduler.submit([fresh])
            await desk.done(fresh)
            assert desk.text(fresh) == desk.text(others[1])

    run(main())


def test_a_long_prompt_does_not_stop_an_answer(engine):
    async def main():
        async with Desk(engine) as desk:
            talking = desk.work(prompt(4), tokens=400)
            desk.scheduler.submit([talking])
            await desk.until(lambda: talking in desk.events)
            before = len(desk.events[talking])
            reading = desk.work(prompt(500, 5), tokens=1)
            desk.scheduler.submit([reading])
            await desk.done(reading)
            # 64 tokens of the prompt a step: the answer went on while they were read.
            assert len(desk.events[talking]) >= before + 7
            desk.scheduler.cancel([talking])

    run(main())


def test_who_goes_away_makes_room_and_hears_nothing_more(engine):
    async def main():
        async with Desk(engine, slots=1) as desk:
            endless = desk.work(prompt(4), tokens=500)
            waiting = desk.work(prompt(5), tokens=2)
            desk.scheduler.submit([endless, waiting])
            await desk.until(lambda: endless in desk.events)
            desk.scheduler.cancel([endless])
            await desk.done(waiting)
            assert not any(isinstance(event, Finished) for event in desk.events[endless])
            assert desk.scheduler.is_idle

    run(main())


def test_time_runs_out_at_work_and_in_the_line(engine):
    async def main():
        async with Desk(engine, slots=1) as desk:
            works = [desk.work(prompt(4), tokens=500, time_s=0.001) for _ in range(2)]
            desk.scheduler.submit(works)
            await desk.done(*works)
            assert [desk.events[work][-1].kind for work in works] == ["time_limit"] * 2

    run(main())


def test_the_line_is_bounded_and_all_or_nothing(engine):
    async def main():
        async with Desk(engine, slots=1, max_waiting=3) as desk:
            works = [desk.work(prompt(4), tokens=500) for _ in range(3)]
            desk.scheduler.submit(works)
            await desk.until(lambda: works[0] in desk.events)
            with pytest.raises(QueueFullError) as refusal:
                desk.scheduler.submit([desk.work(prompt(4)), desk.work(prompt(4))])
            assert 1 <= refusal.value.retry_after_s <= 60
            assert desk.scheduler.load == (1, 2)

    run(main())


def test_an_end_that_does_not_wait_says_so(engine):
    async def main():
        async with Desk(engine, slots=1) as desk:
            works = [desk.work(prompt(4), tokens=500) for _ in range(2)]
            desk.scheduler.submit(works)
            await desk.until(lambda: works[0] in desk.events)
            desk.scheduler.drain()
            with pytest.raises(DrainingError):
                desk.scheduler.submit([desk.work(prompt(4))])
            await asyncio.to_thread(desk.scheduler.stop)
            await desk.done(*works)
            assert [desk.events[work][-1].kind for work in works] == ["shutting_down"] * 2

    run(main())


def test_a_model_that_computes_no_numbers_fails_alone(engine, monkeypatch, capsys):
    async def main():
        async with Desk(engine) as desk:
            good, bad = desk.work(prompt(4)), desk.work(prompt(5))
            monkeypatch.setattr(
                bad, "take_logits", lambda row: GenerationWork.take_logits(bad, row * np.nan)
            )
            desk.scheduler.submit([good, bad])
            await desk.done(good, bad)
            assert desk.events[bad][-1].kind == "model"
            assert isinstance(desk.events[good][-1], Finished)

    run(main())
    assert "not finite" in capsys.readouterr().err


def test_scores_of_a_prompt_are_the_engines(engine):
    text = prompt(90)

    async def main():
        async with Desk(engine) as desk:
            work = desk.work(text, tokens=0, top_scores=2, scores_prompt=True)
            desk.scheduler.submit([work])
            await desk.done(work)
            return desk.events[work][0].scores

    scores = run(main())
    expected = engine.session().score(np.array(text, np.int32))
    assert [score.token for score in scores] == text
    assert scores[0].log_probability is None
    np.testing.assert_allclose([s.log_probability for s in scores[1:]], expected, atol=1e-4)
    assert all(s.top[0][1] >= s.top[1][1] for s in scores[1:])


def test_embeddings_are_the_mean_of_the_hidden_states(engine):
    text = np.array(prompt(300), np.int32)

    async def main():
        async with Desk(engine) as desk:
            work = EmbeddingWork(text, client="a", deadline_s=time.monotonic() + 60)
            desk.scheduler.submit([work])
            await desk.until(lambda: work in desk.events)
            return desk.events[work][0].vector

    mean = engine.session().hidden(text).mean(axis=0)
    np.testing.assert_allclose(run(main()), mean / np.linalg.norm(mean), atol=1e-5)


def test_clients_take_turns(engine):
    desk = Desk(engine)
    line = WaitingLine()
    for client in "aaab":
        line.add(desk.work(prompt(3), client=client))
    order = []
    while (work := line.take()) is not None:
        order.append(work.client)
    assert order == ["a", "b", "a", "a"]
    assert len(line) == 0
