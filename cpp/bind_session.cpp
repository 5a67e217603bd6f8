// Python's view of sessions. No maths here: shapes and dtypes are checked, the GIL is released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>

#include "bind_arrays.h"
#include "engine/session.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace gnomon;

namespace {

using Floats = Out<float>;
using Tokens = In<int32_t, 1>;
using Append = void (Session::*)(const int32_t*, int64_t, float*);

Dtype cache_dtype(const std::string& name) {
    if (name == "float32") return Dtype::f32;
    if (name == "float16") return Dtype::f16;
    if (name == "int8") return Dtype::i8;
    throw std::invalid_argument("A cache is float32, float16 or int8, not " + name + ".");
}

std::size_t vocab_of(const Session& session) {
    return static_cast<std::size_t>(session.decoder().config().vocab);
}

Floats append(Session& session, const Tokens& tokens, Append method,
              std::initializer_list<std::size_t> shape) {
    float* y = nullptr;
    Floats result = new_array(shape, y);
    const int32_t* data = tokens.data();
    const int64_t n = size_of(tokens.size());
    nb::gil_scoped_release release;
    (session.*method)(data, n, y);
    return result;
}

Floats forward_all(Session& session, const Tokens& tokens, int64_t first) {
    const int64_t n = size_of(tokens.size());
    const auto rows = static_cast<std::size_t>(std::clamp<int64_t>(n - first, 0, n));
    float* y = nullptr;
    Floats result = new_array({rows, vocab_of(session)}, y);
    const int32_t* data = tokens.data();
    nb::gil_scoped_release release;
    session.forward_all(data, n, first, y);
    return result;
}

nb::tuple observe(Session& session, const Tokens& tokens, const std::vector<int64_t>& layers) {
    const std::size_t n = tokens.size();
    const auto hidden = static_cast<std::size_t>(session.decoder().config().hidden);
    static_assert(sizeof(Expectation) == Expectation::kSize * sizeof(float));
    float *numbers = nullptr, *states = nullptr;
    Floats expected = new_array({std::max<std::size_t>(n, 1) - 1, Expectation::kSize}, numbers);
    Floats after = new_array({layers.size(), n, hidden}, states);
    const int32_t* data = tokens.data();
    {
        nb::gil_scoped_release release;
        session.observe(data, size_of(n), layers.data(), size_of(layers.size()),
                        reinterpret_cast<Expectation*>(numbers), states);
    }
    return nb::make_tuple(expected, after);
}

Floats read_together(const std::vector<Session*>& sessions, const std::vector<Tokens>& tokens) {
    if (sessions.empty() || sessions.size() != tokens.size())
        throw std::invalid_argument("There must be at least one session, and tokens for each.");
    std::vector<Reading> readings;
    for (std::size_t i = 0; i < sessions.size(); ++i)
        readings.push_back({sessions[i], tokens[i].data(), size_of(tokens[i].size())});
    float* y = nullptr;
    Floats result = new_array({sessions.size(), vocab_of(*sessions[0])}, y);
    nb::gil_scoped_release release;
    forward_together(readings.data(), size_of(readings.size()), y);
    return result;
}

Out<int32_t> tokens_of(const Session& session) {
    int32_t* data = nullptr;
    Out<int32_t> result = new_array({session.tokens().size()}, data);
    std::copy(session.tokens().begin(), session.tokens().end(), data);
    return result;
}

}  // namespace

void bind_session(nb::module_& m);

void bind_session(nb::module_& m) {
    nb::class_<Session>(m, "Session", "The tokens read so far, with their keys and values.")
        .def("__init__",
             [](Session* self, std::shared_ptr<Decoder> decoder, int64_t capacity, const std::string& cache) {
                 new (self) Session(std::move(decoder), capacity, cache_dtype(cache));
             },
             "decoder"_a, "capacity"_a, "cache"_a = "float32")
        .def_prop_ro("length", &Session::length)
        .def_prop_ro("capacity", &Session::capacity)
        .def_prop_ro("cache_bytes", &Session::cache_bytes)
        .def_prop_ro("tokens", &tokens_of, nb::rv_policy::automatic,
                     "A copy of the tokens read so far, int32 [length].")
        .def("belongs_to",
             [](const Session& s, const Decoder& decoder) { return &s.decoder() == &decoder; }, "decoder"_a)
        .def("truncate", &Session::truncate, "length"_a, "Forget all but the first `length` tokens.")
        .def("keep_prefix",
             [](Session& s, const Tokens& text) { return s.keep_prefix(text.data(), size_of(text.size())); },
             "text"_a.noconvert(),
             "Forget what the text (int32 [n >= 1]) does not begin with, and its last token; the length then.")
        .def("copy_prefix",
             [](Session& s, const Session& from, int64_t n) {
                 nb::gil_scoped_release release;
                 s.copy_prefix(from, n);
             },
             "source"_a, "n"_a, "Forget everything; know the first `n` tokens of `source` as if they were read.")
        .def("forward",
             [](Session& s, const Tokens& tokens) {
                 return append(s, tokens, &Session::forward, {vocab_of(s)});
             },
             "tokens"_a.noconvert(), "Append int32 tokens; logits [vocab] after the last one.")
        .def("forward_all", &forward_all, "tokens"_a.noconvert(), "first"_a = 0,
             "Append int32 tokens; logits [n − first, vocab] after each one from number `first` on.")
        .def("score",
             [](Session& s, const Tokens& tokens) {
                 return append(s, tokens, &Session::score, {std::max<std::size_t>(tokens.size(), 1) - 1});
             },
             "tokens"_a.noconvert(),
             "Append int32 tokens; the log-probability [n − 1] of each but the first.")
        .def("hidden",
             [](Session& s, const Tokens& tokens) {
                 const auto hidden = static_cast<std::size_t>(s.decoder().config().hidden);
                 return append(s, tokens, &Session::hidden, {tokens.size(), hidden});
             },
             "tokens"_a.noconvert(), "Append int32 tokens; hidden states [n, hidden] after the final norm.")
        .def("observe", &observe, "tokens"_a.noconvert(), "layers"_a,
             "Append int32 tokens; what was expected at each but the first (f32 [n − 1, 5]: log-probability, "
             "entropy, variance of log p, log-probability at a temperature of 1/2, rank), and the hidden "
             "states after some layers, f32 [layers, n, hidden].");
    m.def("forward_together", &read_together, "sessions"_a, "tokens"_a.noconvert(),
          "Append int32 tokens to each of several sessions of one decoder; logits [sessions, vocab].");
}
