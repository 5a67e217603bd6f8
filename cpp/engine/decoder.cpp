#include "engine/decoder.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/parallel.h"

namespace gnomon {
namespace {

constexpr int64_t kScoreRows = 64;  // rows of logits held at once when only a few numbers are wanted
constexpr int64_t kGrain = 4;       // vectors a thread takes at once in elementwise work

void require(bool is_true, const std::string& message) {
    if (!is_true) throw std::invalid_argument(message);
}

void require_layer(const LinearPtr& layer, const std::string& name, int64_t out, int64_t in) {
    require(layer != nullptr, name + " is missing.");
    require(layer->out() == out && layer->in() == in,
            name + " has shape [" + std::to_string(layer->out()) + ", " + std::to_string(layer->in()) +
                "]; the configuration says [" + std::to_string(out) + ", " + std::to_string(in) + "].");
}

void require_norm(const std::vector<float>& weight, const std::string& name, int64_t size,
                  bool is_optional) {
    if (is_optional && weight.empty()) return;
    require(static_cast<int64_t>(weight.size()) == size,
            name + " has " + std::to_string(weight.size()) + " entries; the configuration says " +
                std::to_string(size) + ".");
}

const AttentionShape& checked_shape(const AttentionShape& a) {
    require(a.heads > 0 && a.kv_heads > 0 && a.heads % a.kv_heads == 0,
            "The number of heads must be a multiple of the number of key-value heads.");
    require(a.head_dim > 0 && a.head_dim % 2 == 0, "The size of a head must be even.");
    return a;
}

// Half-split rotary embedding of one head, as in Hugging Face's checkpoints: entry i is paired with
// entry i + dim / 2. Su et al., arXiv 2104.09864.
void rotate_head(float* x, const float* cosine, const float* sine, int64_t half) {
    for (int64_t i = 0; i < half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cosine[i] - b * sine[i];
        x[i + half] = b * cosine[i] + a * sine[i];
    }
}

Expectation expectation(const KernelTable& k, const float* logits, int64_t vocab, int32_t target) {
    const float shift = k.maximum(logits, vocab), own = logits[target];
    const LogitSums s = k.logit_sums(shift, own, vocab, logits);
    const double x = static_cast<double>(own) - shift, mean = s.first / s.weights;
    return {static_cast<float>(x - std::log(s.weights)), static_cast<float>(std::log(s.weights) - mean),
            static_cast<float>(std::max(s.second / s.weights - mean * mean, 0.0)),
            static_cast<float>(2 * x - std::log(s.squares)), static_cast<float>(s.above)};
}

}  // namespace

Decoder::Decoder(DecoderConfig config, LinearPtr embedding, std::vector<Block> blocks,
                 std::vector<float> final_norm, LinearPtr head, Isa isa, int threads)
    : config_(std::move(config)),
      embedding_(std::move(embedding)),
      head_(std::move(head)),
      blocks_(std::move(blocks)),
      final_norm_(std::move(final_norm)),
      kernels_(gnomon::kernels(isa)),
      pool_(threads),
      workspace_(kernels_, threads, kChunk),
      attention_scratch_(checked_shape(config_.attention), threads) {
    check();
    const AttentionShape& a = config_.attention;
    int64_t intermediate = 0, experts = 0;
    workspace_.reserve(*embedding_);
    workspace_.reserve(*head_);
    for (const Block& block : blocks_) {
        for (const LinearPtr& layer : {block.q, block.k, block.v, block.o}) workspace_.reserve(*layer);
        if (block.router) workspace_.reserve(*block.router);
        experts = std::max(experts, static_cast<int64_t>(block.experts.size()));
        for (const FeedForward& part : block.experts) {
            for (const LinearPtr& layer : {part.gate, part.up, part.down}) workspace_.reserve(*layer);
            intermediate = std::max(intermediate, part.gate->out());
        }
    }
    workspace_.allocate();
    for (auto* buffer : {&residual_, &normed_, &branch_}) buffer->resize(kChunk * config_.hidden);
    queries_.reserve(static_cast<std::size_t>(kChunk));
    for (auto* buffer : {&q_, &attended_}) buffer->resize(kChunk * a.heads * a.head_dim);
    for (auto* buffer : {&k_, &v_}) buffer->resize(kChunk * a.kv_heads * a.head_dim);
    for (auto* buffer : {&gate_, &up_}) buffer->resize(kChunk * intermediate);
    for (auto* buffer : {&cos_, &sin_})
        buffer->resize(static_cast<int64_t>(config_.ropes.size()) * kChunk * a.head_dim / 2);
    if (config_.experts_per_token > 0) {
        router_.resize(kChunk * experts);
        for (auto* buffer : {&expert_in_, &expert_out_}) buffer->resize(kChunk * config_.hidden);
        chosen_.resize(static_cast<std::size_t>(kChunk * config_.experts_per_token));
        routed_.resize(static_cast<std::size_t>(kChunk));
        routed_weight_.resize(static_cast<std::size_t>(kChunk));
    }
}

void Decoder::check() const {
    const AttentionShape& a = config_.attention;
    const int64_t hidden = config_.hidden;
    require_layer(embedding_, "The embedding", config_.vocab, hidden);
    require(embedding_->output_rotation() == nullptr, "An embedding can have no output rotation.");
    require_layer(head_, "The output head", config_.vocab, hidden);
    require_norm(final_norm_, "The final norm", hidden, false);
    for (const Rope& rope : config_.ropes)
        require(static_cast<int64_t>(rope.inverse_frequencies.size()) == a.head_dim / 2,
                "A rotary embedding needs head_dim / 2 frequencies.");
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const Block& b = blocks_[i];
        const std::string name = "Layer " + std::to_string(i) + ": ";
        require_layer(b.q, name + "q_proj", a.heads * a.head_dim, hidden);
        require_layer(b.k, name + "k_proj", a.kv_heads * a.head_dim, hidden);
        require_layer(b.v, name + "v_proj", a.kv_heads * a.head_dim, hidden);
        require_layer(b.o, name + "o_proj", hidden, a.heads * a.head_dim);
        require_norm(b.attention_norm, name + "the attention norm", hidden, false);
        require_norm(b.mlp_norm, name + "the feed-forward norm", hidden, false);
        require_norm(b.attention_post_norm, name + "the norm after attention", hidden, true);
        require_norm(b.mlp_post_norm, name + "the norm after the feed-forward part", hidden, true);
        require_norm(b.q_norm, name + "q_norm", a.head_dim, true);
        require_norm(b.k_norm, name + "k_norm", a.head_dim, true);
        require(b.rope >= 0 && b.rope < static_cast<int>(config_.ropes.size()),
                name + "there is no such rotary embedding.");
        require(!b.experts.empty() && b.window >= 0, name + "it has no feed-forward part.");
        const auto experts = static_cast<int64_t>(b.experts.size());
        if (b.router) {
            require_layer(b.router, name + "the router", experts, hidden);
            require(config_.experts_per_token >= 1 && config_.experts_per_token <= experts,
                    name + "experts_per_token must be between 1 and the number of experts.");
        } else {
            require(experts == 1, name + "several experts need a router.");
        }
        for (const FeedForward& part : b.experts) {
            require(part.gate != nullptr, name + "gate_proj is missing.");
            require_layer(part.gate, name + "gate_proj", part.gate->out(), hidden);
            require_layer(part.up, name + "up_proj", part.gate->out(), hidden);
            require_layer(part.down, name + "down_proj", hidden, part.gate->out());
        }
    }
}

int64_t Decoder::weight_bytes() const {
    int64_t total = head_->weight_bytes() + 4 * config_.hidden;
    for (const Block& b : blocks_) {
        for (const LinearPtr& layer : {b.q, b.k, b.v, b.o})
            total += layer->weight_bytes() + 4 * static_cast<int64_t>(layer->bias().size());
        for (const auto* norm : {&b.attention_norm, &b.attention_post_norm, &b.mlp_norm,
                                 &b.mlp_post_norm, &b.q_norm, &b.k_norm})
            total += 4 * static_cast<int64_t>(norm->size());
        int64_t parts = 0;
        for (const FeedForward& part : b.experts)
            for (const LinearPtr& layer : {part.gate, part.up, part.down})
                parts += layer->weight_bytes() + 4 * static_cast<int64_t>(layer->bias().size());
        if (b.router) {
            total += b.router->weight_bytes();
            parts = parts * config_.experts_per_token / static_cast<int64_t>(b.experts.size());
        }
        total += parts;
    }
    return total;
}

void Decoder::norm(const std::vector<float>& weight, const float* x, int64_t n, float* y) {
    const int64_t width = config_.hidden;
    for_ranges(pool_, n, kGrain, [&](int64_t, int64_t t) {
        kernels_.rms_norm(x + t * width, weight.data(), width, config_.norm_eps, config_.norm_offset,
                          y + t * width);
    });
}

void Decoder::add_residual(const std::vector<float>& post_norm, float* x, int64_t n) {
    if (!post_norm.empty()) norm(post_norm, x, n, x);
    kernels_.add(x, n * config_.hidden, residual_.data());
}

void Decoder::embed(const Row* rows, int64_t n) {
    const int64_t width = config_.hidden;
    for_ranges(pool_, n, kGrain, [&](int64_t slot, int64_t t) {
        float* x = residual_.data() + t * width;
        embedding_->read_row(kernels_, rows[t].token, x, workspace_.rotation_scratch(slot));
        if (config_.embedding_scale != 1.0f) kernels_.scale(config_.embedding_scale, width, x);
    });
}

void Decoder::turn(const Row* rows, int64_t n) {
    const int64_t half = config_.attention.head_dim / 2;
    for (std::size_t r = 0; r < config_.ropes.size(); ++r) {
        const Rope& rope = config_.ropes[r];
        const int64_t base = static_cast<int64_t>(r) * kChunk;
        for (int64_t t = 0; t < n; ++t)
            for (int64_t i = 0; i < half; ++i) {
                const float angle = static_cast<float>(rows[t].position) *
                                    rope.inverse_frequencies[static_cast<std::size_t>(i)];
                cos_[(base + t) * half + i] = rope.amplitude * std::cos(angle);
                sin_[(base + t) * half + i] = rope.amplitude * std::sin(angle);
            }
    }
}

void Decoder::group_queries(const Row* rows, int64_t n) {
    queries_.clear();
    for (int64_t t = 0; t < n; ++t) {
        const bool is_next = t > 0 && rows[t].caches == rows[t - 1].caches;
        if (is_next && queries_.back().count < attention_scratch_.block_tokens())
            ++queries_.back().count;
        else
            queries_.push_back({rows[t].caches, t, rows[t].position, 1});
    }
    // Those that see the most keys go first, so that no thread ends alone.
    std::sort(queries_.begin(), queries_.end(), [](const QueryBlock& a, const QueryBlock& b) {
        return a.position + a.count > b.position + b.count;
    });
}

void Decoder::attention(std::size_t layer, const Row* rows, int64_t n) {
    const Block& b = blocks_[layer];
    const AttentionShape& a = config_.attention;
    const int64_t dim = a.head_dim, half = dim / 2;
    norm(b.attention_norm, residual_.data(), n, normed_.data());
    const Target qkv[] = {{b.q.get(), q_.data()}, {b.k.get(), k_.data()}, {b.v.get(), v_.data()}};
    multiply_group(pool_, workspace_, qkv, 3, normed_.data(), n);
    for_ranges(pool_, n, kGrain, [&](int64_t, int64_t t) {
        const float* cosine = cos_.data() + (b.rope * kChunk + t) * half;
        const float* sine = sin_.data() + (b.rope * kChunk + t) * half;
        const auto prepare = [&](float* x, int64_t heads, const std::vector<float>& weight) {
            for (int64_t h = 0; h < heads; ++h, x += dim) {
                if (!weight.empty())
                    kernels_.rms_norm(x, weight.data(), dim, config_.norm_eps, config_.norm_offset, x);
                rotate_head(x, cosine, sine, half);
            }
        };
        float* key = k_.data() + t * a.kv_heads * dim;
        prepare(q_.data() + t * a.heads * dim, a.heads, b.q_norm);
        prepare(key, a.kv_heads, b.k_norm);
        (*rows[t].caches)[layer].write(kernels_, rows[t].position, key, v_.data() + t * a.kv_heads * dim);
    });
    attend(pool_, kernels_, a, attention_scratch_, queries_.data(), static_cast<int64_t>(queries_.size()),
           static_cast<int64_t>(layer), q_.data(), b.window, attended_.data());
    const Target o{b.o.get(), branch_.data()};
    multiply_group(pool_, workspace_, &o, 1, attended_.data(), n);
}

void Decoder::feed_forward(const FeedForward& part, const float* x, int64_t n, float* y) {
    const int64_t width = part.gate->out();
    const Target in[] = {{part.gate.get(), gate_.data()}, {part.up.get(), up_.data()}};
    multiply_group(pool_, workspace_, in, 2, x, n);
    const auto activate =
        config_.activation == Activation::silu ? kernels_.silu_multiply : kernels_.gelu_tanh_multiply;
    for_ranges(pool_, n, kGrain, [&](int64_t, int64_t t) {
        activate(gate_.data() + t * width, up_.data() + t * width, width);
    });
    const Target down{part.down.get(), y};
    multiply_group(pool_, workspace_, &down, 1, gate_.data(), n);
}

// Mixtral of experts, arXiv 2401.04088: softmax over all experts, the best few, their
// probabilities scaled to sum to one.
void Decoder::mixture(const Block& b, int64_t n) {
    const auto experts = static_cast<int64_t>(b.experts.size());
    const int64_t chosen = config_.experts_per_token, width = config_.hidden;
    const Target router{b.router.get(), router_.data()};
    multiply_group(pool_, workspace_, &router, 1, normed_.data(), n);
    for (int64_t t = 0; t < n; ++t) {
        float* p = router_.data() + t * experts;
        kernels_.exp_and_sum(kernels_.maximum(p, experts), experts, p);
        int32_t* best = chosen_.data() + t * chosen;
        float total = 0.0f;
        for (int64_t i = 0; i < chosen; ++i) {
            int32_t winner = -1;
            for (int32_t e = 0; e < experts; ++e)
                if (std::find(best, best + i, e) == best + i && (winner < 0 || p[e] > p[winner])) winner = e;
            best[i] = winner;
            total += p[winner];
        }
        for (int64_t i = 0; i < chosen; ++i) p[best[i]] /= total;
    }
    std::fill(branch_.data(), branch_.data() + n * width, 0.0f);
    for (int32_t e = 0; e < experts; ++e) {
        int64_t count = 0;
        for (int64_t t = 0; t < n; ++t) {
            const int32_t* best = chosen_.data() + t * chosen;
            if (std::find(best, best + chosen, e) == best + chosen) continue;
            std::memcpy(expert_in_.data() + count * width, normed_.data() + t * width,
                        static_cast<std::size_t>(width) * 4);
            routed_[static_cast<std::size_t>(count)] = static_cast<int32_t>(t);
            routed_weight_[static_cast<std::size_t>(count++)] = router_[t * experts + e];
        }
        if (count == 0) continue;
        feed_forward(b.experts[static_cast<std::size_t>(e)], expert_in_.data(), count, expert_out_.data());
        for (int64_t i = 0; i < count; ++i)
            kernels_.add_scaled(routed_weight_[static_cast<std::size_t>(i)], expert_out_.data() + i * width,
                                width, branch_.data() + routed_[static_cast<std::size_t>(i)] * width);
    }
}

float* Decoder::run(const Row* rows, int64_t n, const Taps& taps) {
    int64_t tap = 0;
    embed(rows, n);
    turn(rows, n);
    group_queries(rows, n);
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
        const Block& b = blocks_[layer];
        attention(layer, rows, n);
        add_residual(b.attention_post_norm, branch_.data(), n);
        norm(b.mlp_norm, residual_.data(), n, normed_.data());
        if (b.router)
            mixture(b, n);
        else
            feed_forward(b.experts[0], normed_.data(), n, branch_.data());
        add_residual(b.mlp_post_norm, branch_.data(), n);
        if (tap < taps.count && taps.layers[tap] == static_cast<int64_t>(layer)) {
            std::memcpy(taps.states + tap * taps.stride * config_.hidden, residual_.data(),
                        static_cast<std::size_t>(n * config_.hidden) * 4);
            ++tap;
        }
    }
    norm(final_norm_, residual_.data(), n, normed_.data());
    return normed_.data();
}

void Decoder::logits(const float* hidden, int64_t n, float* y) {
    const Target target{head_.get(), y};
    multiply_group(pool_, workspace_, &target, 1, hidden, n);
    if (config_.logit_softcap > 0.0f) kernels_.softcap(config_.logit_softcap, n * config_.vocab, y);
}

// Calls use(t, logits of hidden[t]) for each of the vectors; few rows of logits are held at once.
template <class Use>
void Decoder::each_row_of_logits(const float* hidden, int64_t n, const Use& use) {
    if (logits_.size() == 0) logits_.resize(kScoreRows * config_.vocab);
    for (int64_t first = 0; first < n; first += kScoreRows) {
        const int64_t rows = std::min(kScoreRows, n - first);
        logits(hidden + first * config_.hidden, rows, logits_.data());
        for_each(pool_, rows, [&](int64_t, int64_t t) { use(first + t, logits_.data() + t * config_.vocab); });
    }
}

void Decoder::log_probabilities(const float* hidden, const int32_t* targets, int64_t n, float* y) {
    const int64_t vocab = config_.vocab;
    each_row_of_logits(hidden, n, [&](int64_t t, const float* row) {
        const float shift = kernels_.maximum(row, vocab);
        y[t] = row[targets[t]] - shift - std::log(kernels_.exp_sum(shift, vocab, row));
    });
}

void Decoder::expectations(const float* hidden, const int32_t* targets, int64_t n, Expectation* y) {
    each_row_of_logits(hidden, n, [&](int64_t t, const float* row) {
        y[t] = expectation(kernels_, row, config_.vocab, targets[t]);
    });
}

}  // namespace gnomon
