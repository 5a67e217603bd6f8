"""The runtime: sessions over native layers, sampling, generation, perplexity, zero-shot tasks."""

from gnomon.engine.engine import DEFAULT_CAPACITY, Engine, Session
from gnomon.engine.generate import GeneratedToken, generate
from gnomon.engine.perplexity import PerplexityResult, perplexity
from gnomon.engine.sampling import Sampler, SamplingOptions
from gnomon.engine.zeroshot import QuestionResult, TaskResult, run_task
from gnomon.engine.zeroshot_tasks import TASK_FILES, Task, find_task, read_task

__all__ = [
    "DEFAULT_CAPACITY",
    "TASK_FILES",
    "Engine",
    "GeneratedToken",
    "PerplexityResult",
    "QuestionResult",
    "Sampler",
    "SamplingOptions",
    "Session",
    "Task",
    "TaskResult",
    "find_task",
    "generate",
    "perplexity",
    "read_task",
    "run_task",
]
