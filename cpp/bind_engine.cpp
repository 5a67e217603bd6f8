// Python's view of layers and models. No maths here: shapes and dtypes are checked, the GIL is released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <stdexcept>

#include "bind_arrays.h"
#include "core/bandwidth.h"
#include "core/parallel.h"
#include "core/rotation.h"
#include "codecs/trellis_form.h"
#include "engine/additive_linear.h"
#include "engine/decoder.h"
#include "engine/multiply.h"
#include "engine/sampling.h"
#include "engine/trellis_linear.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace gnomon;

namespace {

std::vector<float> to_vector(const std::optional<In<float, 1>>& array) {
    if (!array) return {};
    return {array->data(), array->data() + array->size()};
}

Isa isa_of(const std::optional<std::string>& name) { return name ? isa_of_name(*name) : chosen_isa(); }

using Floats = Out<float>;

int checked_threads(int threads) {
    if (threads < 1 || threads > 1024)
        throw std::invalid_argument("threads must be between 1 and 1024, not " + std::to_string(threads) + ".");
    return threads;
}

template <class Array>
std::shared_ptr<const void> keep(const Array& array) {
    return std::make_shared<Array>(array);
}

std::shared_ptr<Linear> with_bias(std::shared_ptr<Linear> layer, const std::optional<In<float, 1>>& bias) {
    layer->set_bias(to_vector(bias));
    return layer;
}

std::shared_ptr<Linear> dense_linear(const Any<2>& weights, const std::optional<In<float, 1>>& scales,
                                     const std::optional<In<float, 1>>& bias) {
    Dtype dtype;
    if (weights.dtype() == nb::dtype<float>()) {
        dtype = Dtype::f32;
    } else if (weights.dtype() == nb::dlpack::dtype{static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1}) {
        dtype = Dtype::f16;
    } else if (weights.dtype() == nb::dtype<uint16_t>()) {
        dtype = Dtype::bf16;
    } else if (weights.dtype() == nb::dtype<int8_t>()) {
        dtype = Dtype::i8;
    } else {
        throw std::invalid_argument("Dense weights are float32, float16, int8, or bfloat16 as uint16.");
    }
    return with_bias(std::make_shared<DenseLinear>(keep(weights), weights.data(), dtype,
                                                   size_of(weights.shape(0)), size_of(weights.shape(1)),
                                                   to_vector(scales)),
                     bias);
}

std::shared_ptr<Linear> trellis_linear(const In<uint8_t, 4>& codes, const In<int8_t, 3>& table,
                                       const In<float, 1>& scales, int64_t out, int64_t in,
                                       std::shared_ptr<Rotation> input_rotation,
                                       std::shared_ptr<Rotation> output_rotation,
                                       const std::optional<In<float, 1>>& bias) {
    const auto bits = static_cast<int>(codes.shape(2) / 4);
    if (out < 1 || in < 1 || size_of(codes.shape(0)) != (out + 63) / 64 ||
        size_of(codes.shape(1)) != (in + 31) / 32 || codes.shape(2) % 4 != 0 || codes.shape(3) != 64 ||
        bits < 2 || bits > 4)
        throw std::invalid_argument("Trellis codes have shape [⌈out/64⌉, ⌈in/32⌉, 4·bits, 64], bits 2 to 4.");
    const TrellisForm form = trellis_form(bits);
    if (size_of(table.shape(0)) != form.window || size_of(table.shape(1)) != form.values() ||
        size_of(table.shape(2)) != form.columns)
        throw std::invalid_argument("A trellis table has shape [window, values of a symbol, its columns].");
    return with_bias(
        std::make_shared<TrellisLinear>(keep(codes), codes.data(), table.data(), to_vector(scales), bits, out,
                                        in, std::move(input_rotation), std::move(output_rotation)),
        bias);
}

std::shared_ptr<Linear> additive_linear(const Any<3>& codes, const In<float, 3>& codebooks,
                                        const In<float, 1>& scales,
                                        const std::optional<In<float, 1>>& bias) {
    if (codes.dtype() != nb::dtype<uint8_t>() && codes.dtype() != nb::dtype<uint16_t>())
        throw std::invalid_argument("Additive codes are uint8 or uint16.");
    if (codebooks.shape(0) != codes.shape(2) || codebooks.shape(2) != 8)
        throw std::invalid_argument("Additive code books have shape [books, entries, 8], codes [out, in/8, books].");
    return with_bias(
        std::make_shared<AdditiveLinear>(
            keep(codes), codes.data(), size_of(codes.itemsize()), size_of(codes.shape(2)),
            size_of(codebooks.shape(1)),
            std::vector<float>(codebooks.data(), codebooks.data() + codebooks.size()), to_vector(scales),
            size_of(codes.shape(0)), size_of(codes.shape(1)) * 8),
        bias);
}

Floats multiply(const Linear& layer, const In<float, 2>& x, int threads,
                const std::optional<std::string>& isa) {
    if (size_of(x.shape(1)) != layer.in() || x.shape(0) == 0)
        throw std::invalid_argument("Expected x of shape [n >= 1, " + std::to_string(layer.in()) + "].");
    float* y = nullptr;
    Floats result = new_array({x.shape(0), static_cast<std::size_t>(layer.out())}, y);
    const KernelTable& k = kernels(isa_of(isa));
    const int count = checked_threads(threads);
    nb::gil_scoped_release release;
    ThreadPool pool(count);
    Workspace workspace(k, count, size_of(x.shape(0)));
    workspace.reserve(layer);
    workspace.allocate();
    const Target target{&layer, y};
    multiply_group(pool, workspace, &target, 1, x.data(), size_of(x.shape(0)));
    return result;
}

Floats read_row(const Linear& layer, int64_t row, const std::optional<std::string>& isa) {
    if (row < 0 || row >= layer.out()) throw std::out_of_range("There is no such row.");
    float* y = nullptr;
    Floats result = new_array({static_cast<std::size_t>(layer.in())}, y);
    const Rotation* rotation = layer.input_rotation();
    AlignedBuffer<float> scratch(rotation == nullptr ? 0 : rotation->scratch_floats());
    layer.read_row(kernels(isa_of(isa)), row, y, scratch.data());
    return result;
}

void rotate(const InOut<float, 2>& x, const std::optional<In<float, 1>>& signs, bool inverse, int threads,
            const std::optional<std::string>& isa) {
    const int64_t n = size_of(x.shape(0)), width = size_of(x.shape(1));
    if (n == 0) return;
    const Rotation rotation(width, to_vector(signs));
    if (signs && size_of(signs->size()) != width)
        throw std::invalid_argument("There must be one sign for each column of x.");
    const KernelTable& k = kernels(isa_of(isa));
    const int count = checked_threads(threads);
    float* data = x.data();
    nb::gil_scoped_release release;
    ThreadPool pool(count);
    AlignedBuffer<float> scratch(count * rotation.scratch_floats());
    for_ranges(pool, n, 8, [&](int64_t slot, int64_t i) {
        float* at = scratch.data() + slot * rotation.scratch_floats();
        if (inverse)
            rotation.inverse(k, data + i * width, at);
        else
            rotation.forward(k, data + i * width, at);
    });
}

float log_sum_exp(const In<float, 1>& x) {
    if (x.size() == 0) throw std::invalid_argument("There is nothing to add up.");
    const KernelTable& k = kernels(chosen_isa());
    const float highest = k.maximum(x.data(), size_of(x.size()));
    return highest + std::log(k.exp_sum(highest, size_of(x.size()), x.data()));
}

int64_t chosen_token(const In<float, 1>& logits, const In<int32_t, 1>& seen, double at, float temperature,
                     int64_t top_k, float top_p, float min_p, float repetition_penalty) {
    if (logits.size() == 0) throw std::invalid_argument("There are no logits to choose from.");
    const Sampling sampling{temperature, top_k, top_p, min_p, repetition_penalty};
    nb::gil_scoped_release release;
    return choose_token(kernels(chosen_isa()), logits.data(), size_of(logits.size()), seen.data(),
                        size_of(seen.size()), sampling, at);
}

double measured_bandwidth(int threads, int64_t size_bytes, int passes) {
    if (size_bytes < 1 || size_bytes > int64_t{1} << 40 || passes < 1)
        throw std::invalid_argument("A bandwidth is measured over 1 byte to 1 TiB, in at least one pass.");
    const int count = checked_threads(threads);
    const KernelTable& k = kernels(chosen_isa());
    nb::gil_scoped_release release;
    ThreadPool pool(count);
    return read_bandwidth(pool, k, size_bytes, passes);
}

DecoderConfig decoder_config(int64_t vocab, int64_t hidden, int64_t heads, int64_t kv_heads,
                             int64_t head_dim, float attention_scale, float attention_softcap,
                             const std::vector<std::pair<std::vector<float>, float>>& ropes,
                             const std::string& activation, float norm_eps, float norm_offset,
                             float embedding_scale, float logit_softcap, int64_t experts_per_token) {
    DecoderConfig c;
    c.vocab = vocab;
    c.hidden = hidden;
    c.attention = {heads, kv_heads, head_dim, attention_scale, attention_softcap};
    for (const auto& rope : ropes) c.ropes.push_back({rope.first, rope.second});
    if (activation == "gelu_tanh")
        c.activation = Activation::gelu_tanh;
    else if (activation != "silu")
        throw std::invalid_argument("activation='" + activation + "' is unknown; expected silu or gelu_tanh.");
    c.norm_eps = norm_eps;
    c.norm_offset = norm_offset;
    c.embedding_scale = embedding_scale;
    c.logit_softcap = logit_softcap;
    c.experts_per_token = experts_per_token;
    return c;
}

}  // namespace

void bind_engine(nb::module_& m);

void bind_engine(nb::module_& m) {
    m.def("usable_cores", &usable_cores, "Cores this process may use.");
    m.def("chosen_isa", [] { return std::string(isa_name(chosen_isa())); },
          "The instruction set in use: the best one, or the one GNOMON_ISA names.");
    m.def("available_isas",
          [] {
              std::vector<std::string> names;
              for (Isa isa : available_isas()) names.emplace_back(isa_name(isa));
              return names;
          },
          "The instruction sets of this CPU, the best one last.");
    m.def("log_sum_exp", &log_sum_exp, "x"_a.noconvert(), "log Σ exp x of float32 [n].");
    m.def("choose_token", &chosen_token, "logits"_a.noconvert(), "seen"_a.noconvert(), "at"_a,
          "temperature"_a = 0.0f, "top_k"_a = 0, "top_p"_a = 1.0f, "min_p"_a = 0.0f, "repetition_penalty"_a = 1.0f,
          "A token by float32 logits [vocab] and the int32 tokens of the text so far; `at`, from 0 and below 1, is where "
          "the draw falls.");
    m.def("read_bandwidth", &measured_bandwidth, "threads"_a, "size_bytes"_a, "passes"_a,
          "Bytes a second at which so many threads read memory: the best of the passes.");
    m.def("rotate", &rotate, "x"_a.noconvert(), "signs"_a.noconvert() = nb::none(), "inverse"_a = false,
          "threads"_a = 1, "isa"_a = nb::none(),
          "Rotate the rows of x (float32 [n, width]) in place: H·S·x, or S·H·x if inverse.");

    nb::class_<Rotation>(m, "Rotation", "H·S of one width; layers that share one share its work.")
        .def("__init__",
             [](Rotation* self, int64_t width, const std::optional<In<float, 1>>& signs) {
                 new (self) Rotation(width, to_vector(signs));
             },
             "width"_a, "signs"_a.noconvert() = nb::none())
        .def_prop_ro("width", &Rotation::width);

    nb::class_<Linear>(m, "Linear", "A linear layer over weights that numpy owns.")
        .def_prop_ro("shape", [](const Linear& l) { return nb::make_tuple(l.out(), l.in()); })
        .def_prop_ro("weight_bytes", &Linear::weight_bytes)
        .def("multiply", &multiply, "x"_a.noconvert(), "threads"_a = 1, "isa"_a = nb::none(),
             "y [n, out] of x [n, in], both float32.")
        .def("read_row", &read_row, "row"_a, "isa"_a = nb::none(), "One row of the weights, float32 [in].");
    m.def("dense_linear", &dense_linear, "weights"_a.noconvert(), "scales"_a.noconvert() = nb::none(),
          "bias"_a.noconvert() = nb::none(),
          "weights [out, in]: float32, float16, int8 (with scales [out]) or bfloat16 as uint16.");
    m.def("trellis_linear", &trellis_linear, "codes"_a.noconvert(), "table"_a.noconvert(),
          "scales"_a.noconvert(), "out"_a, "in_"_a, "input_rotation"_a = nb::none(),
          "output_rotation"_a = nb::none(), "bias"_a.noconvert() = nb::none(),
          "The trellis format, with scales float32 [out].");
    m.def("additive_linear", &additive_linear, "codes"_a.noconvert(), "codebooks"_a.noconvert(),
          "scales"_a.noconvert(), "bias"_a.noconvert() = nb::none(),
          "codes uint8 or uint16 [out, in/8, books], codebooks float32 [books, entries, 8], scales float32 "
          "[out]; entries is a power of two, and the lowest bits of a code are the index.");

    nb::class_<DecoderConfig>(m, "DecoderConfig")
        .def("__init__",
             [](DecoderConfig* self, int64_t vocab, int64_t hidden, int64_t heads, int64_t kv_heads,
                int64_t head_dim, float attention_scale, float attention_softcap,
                const std::vector<std::vector<float>>& rope_frequencies,
                const std::vector<float>& rope_amplitudes, const std::string& activation, float norm_eps,
                float norm_offset, float embedding_scale, float logit_softcap, int64_t experts_per_token) {
                 if (rope_frequencies.size() != rope_amplitudes.size())
                     throw std::invalid_argument("Every rotary embedding needs an amplitude.");
                 std::vector<std::pair<std::vector<float>, float>> ropes;
                 for (std::size_t i = 0; i < rope_frequencies.size(); ++i)
                     ropes.emplace_back(rope_frequencies[i], rope_amplitudes[i]);
                 new (self) DecoderConfig(decoder_config(
                     vocab, hidden, heads, kv_heads, head_dim, attention_scale, attention_softcap, ropes,
                     activation, norm_eps, norm_offset, embedding_scale, logit_softcap, experts_per_token));
             },
             nb::kw_only(), "vocab"_a, "hidden"_a, "heads"_a, "kv_heads"_a, "head_dim"_a,
             "attention_scale"_a, "attention_softcap"_a, "rope_frequencies"_a, "rope_amplitudes"_a,
             "activation"_a, "norm_eps"_a, "norm_offset"_a, "embedding_scale"_a, "logit_softcap"_a,
             "experts_per_token"_a);

    nb::class_<FeedForward>(m, "FeedForward")
        .def("__init__",
             [](FeedForward* self, std::shared_ptr<Linear> gate, std::shared_ptr<Linear> up,
                std::shared_ptr<Linear> down) { new (self) FeedForward{gate, up, down}; },
             nb::kw_only(), "gate"_a, "up"_a, "down"_a);

    using Weight = std::optional<In<float, 1>>;
    nb::class_<Block>(m, "Block")
        .def("__init__",
             [](Block* self, std::shared_ptr<Linear> q, std::shared_ptr<Linear> k, std::shared_ptr<Linear> v,
                std::shared_ptr<Linear> o, std::shared_ptr<Linear> router,
                const std::vector<FeedForward>& experts, const Weight& attention_norm,
                const Weight& attention_post_norm, const Weight& mlp_norm, const Weight& mlp_post_norm,
                const Weight& q_norm, const Weight& k_norm, int rope, int64_t window) {
                 new (self) Block{to_vector(attention_norm), to_vector(attention_post_norm),
                                  to_vector(mlp_norm), to_vector(mlp_post_norm), to_vector(q_norm),
                                  to_vector(k_norm), q, k, v, o, router, experts, rope, window};
             },
             nb::kw_only(), "q"_a, "k"_a, "v"_a, "o"_a, "router"_a.none(), "experts"_a,
             "attention_norm"_a.noconvert(), "attention_post_norm"_a.noconvert().none(),
             "mlp_norm"_a.noconvert(), "mlp_post_norm"_a.noconvert().none(),
             "q_norm"_a.noconvert().none(), "k_norm"_a.noconvert().none(), "rope"_a, "window"_a);

    nb::class_<Decoder>(m, "Decoder", "A decoder-only transformer, ready to run.")
        .def("__init__",
             [](Decoder* self, const DecoderConfig& config, std::shared_ptr<Linear> embedding,
                const std::vector<Block>& blocks, const In<float, 1>& final_norm,
                std::shared_ptr<Linear> head, int threads, const std::optional<std::string>& isa) {
                 new (self) Decoder(config, embedding, blocks, to_vector(final_norm), head, isa_of(isa),
                                    checked_threads(threads));
             },
             nb::kw_only(), "config"_a, "embedding"_a, "blocks"_a, "final_norm"_a.noconvert(), "head"_a,
             "threads"_a, "isa"_a = nb::none())
        .def_prop_ro("threads", &Decoder::threads)
        .def_prop_ro("weight_bytes", &Decoder::weight_bytes, "Bytes of weights read for one more token.");
}
