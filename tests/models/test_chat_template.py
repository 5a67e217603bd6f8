"""Chat templates: Hugging Face's behaviour, and a sandbox that holds."""

from __future__ import annotations

import pytest

from gnomon.errors import ModelError
from gnomon.models.chat_template import ChatTemplate

USER = [{"role": "user", "content": "<b>é</b>"}]
PROBES = [
    "{{ messages|tojson }}",
    "{{ messages|tojson(indent=2) }}",
    "{% for m in messages %}\n  {% if m.role == 'user' %}\n{{ m.role }}\n  {% endif %}{% endfor %}",
    "{% set a = namespace(n=0) %}{% for m in 'xy' %}{% set a.n = 1 + a.n %}{% endfor %}{{ a.n }}",
    "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}!",
    "{{ bos_token }}{{ messages[0]['content'] | trim }}{% if add_generation_prompt %}A:{% endif %}",
    "{% if tools is not none %}T{% else %}no tools{% endif %}",
    "{% if tools %}T{% endif %}{% if documents %}D{% endif %}{{ missing }}",
    "{%- macro f(x) -%} [{{ x }}] {%- endmacro -%}{{ f(messages[0].content) }}",
    "{{ strftime_now('%Y') | length }}",
    "{{ messages[0].content.split('b') | join('-') }}",
]  # fmt: skip
ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__ }}",
    "{{ (messages|attr('__class__')).mro() }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__globals__['json'] }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'x'}) }}",
    "{{ messages.clear() }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{{ '%s' | format(messages.__class__) }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{0.__class__}'.format_map({'0': ''}) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ open('/etc/passwd').read() }}",
]


@pytest.mark.parametrize("text", PROBES)
def test_renders_as_transformers_does(text):
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    theirs, _ = utils.render_jinja_template(
        [USER], chat_template=text, add_generation_prompt=True, bos_token="<s>"
    )
    assert ChatTemplate(text, special_tokens={"bos_token": "<s>"}).render(USER) == theirs[0]


@pytest.mark.parametrize("text", ESCAPES)
def test_cannot_leave_the_sandbox(text):
    messages = [{"role": "user", "content": "x"}]
    try:
        rendered = ChatTemplate(text).render(messages)
    except ModelError:
        rendered = ""
    assert rendered == ""
    assert messages == [{"role": "user", "content": "x"}]


def test_template_speaks_through_the_error():
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(ModelError, match="refused the messages: roles must alternate"):
        template.render(USER)


@pytest.mark.parametrize(
    "text",
    ["{% for %}", "{{", "{% unknown %}", "{% generation %}", "{{ x | nofilter }}", "{{ 1/0 }}"],
)
def test_faults_are_the_models(text):
    with pytest.raises(ModelError, match="chat template"):
        ChatTemplate(text).render(USER)


def test_without_generation_prompt():
    template = ChatTemplate("{% if add_generation_prompt %}A{% else %}B{% endif %}")
    assert template.render(USER) == "A"
    assert template.render(USER, add_generation_prompt=False) == "B"
