// A decoder-only transformer: its layers, and the forward pass of tokens of one text or several.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/attention.h"
#include "engine/multiply.h"

namespace gnomon {

enum class Activation { silu, gelu_tanh };

struct Rope {
    std::vector<float> inverse_frequencies;  // [head_dim / 2]
    float amplitude = 1.0f;
};

struct DecoderConfig {
    int64_t vocab = 0, hidden = 0;
    AttentionShape attention;
    std::vector<Rope> ropes;
    Activation activation = Activation::silu;
    float norm_eps = 1e-5f, norm_offset = 0.0f;
    float embedding_scale = 1.0f;
    float logit_softcap = 0.0f;  // 0: none
    int64_t experts_per_token = 0;
};

using LinearPtr = std::shared_ptr<const Linear>;

struct FeedForward {
    LinearPtr gate, up, down;
};

// Norm weights are [hidden] (q_norm and k_norm [head_dim]); an empty one means there is none.
struct Block {
    std::vector<float> attention_norm, attention_post_norm, mlp_norm, mlp_post_norm;
    std::vector<float> q_norm, k_norm;
    LinearPtr q, k, v, o;
    LinearPtr router;                   // null: one feed-forward part, no choice
    std::vector<FeedForward> experts;   // one if there is no router
    int rope = 0;
    int64_t window = 0;  // 0: sees everything before
};

// A token on its way through the layers.
struct Row {
    int32_t token;
    int64_t position;              // in its text
    std::vector<KvCache>* caches;  // its text's, one a layer
};

// Where the hidden states after some of the layers go, while rows pass them.
struct Taps {
    const int64_t* layers;  // their numbers, rising; 0 is the first
    int64_t count;
    float* states;   // tap i of row t of a run goes to states + (i · stride + t) · hidden
    int64_t stride;
};

// What the model expected where a token stands; the numbers of one row of `Decoder::expectations`.
struct Expectation {
    static constexpr int64_t kSize = 5;
    float log_probability;   // of the token
    float entropy;           // nats, of the distribution
    float variance;          // of log p under p, nats²
    float cold_probability;  // log-probability of the token at a temperature of one half
    float rank;              // how many tokens are likelier
};

class Decoder {
public:
    static constexpr int64_t kChunk = 256;  // rows that pass the layers together

    // Throws std::invalid_argument if shapes do not fit together.
    Decoder(DecoderConfig config, LinearPtr embedding, std::vector<Block> blocks,
            std::vector<float> final_norm, LinearPtr head, Isa isa, int threads);

    const DecoderConfig& config() const { return config_; }
    int64_t layers() const { return static_cast<int64_t>(blocks_.size()); }
    int threads() const { return pool_.size(); }
    // Bytes of weights read to compute one more token.
    int64_t weight_bytes() const;

    // Held by whoever uses the methods below: they share one set of buffers.
    std::mutex& mutex() { return mutex_; }
    // Runs 1 to kChunk rows and adds to their caches. The rows of one text follow one another, with
    // positions that rise by one. Returns the hidden states after the final norm [n, hidden], the
    // caller's until the next call. A row's numbers do not depend on the rows beside it.
    float* run(const Row* rows, int64_t n, const Taps& taps = {});
    // Logits [n, vocab] of hidden states [n, hidden], n <= kChunk.
    void logits(const float* hidden, int64_t n, float* y);
    // y[t] = log softmax(logits of hidden[t])[targets[t]].
    void log_probabilities(const float* hidden, const int32_t* targets, int64_t n, float* y);
    // The same with more of the distribution.
    void expectations(const float* hidden, const int32_t* targets, int64_t n, Expectation* y);

private:
    void check() const;
    void embed(const Row* rows, int64_t n);
    void turn(const Row* rows, int64_t n);
    void group_queries(const Row* rows, int64_t n);
    void attention(std::size_t layer, const Row* rows, int64_t n);
    void feed_forward(const FeedForward& part, const float* x, int64_t n, float* y);
    void mixture(const Block& block, int64_t n);
    void norm(const std::vector<float>& weight, const float* x, int64_t n, float* y);
    template <class Use>
    void each_row_of_logits(const float* hidden, int64_t n, const Use& use);
    void add_residual(const std::vector<float>& post_norm, float* x, int64_t n);

    DecoderConfig config_;
    LinearPtr embedding_, head_;
    std::vector<Block> blocks_;
    std::vector<float> final_norm_;
    const KernelTable& kernels_;
    ThreadPool pool_;
    Workspace workspace_;
    AttentionScratch attention_scratch_;
    std::vector<QueryBlock> queries_;  // of the rows under way
    std::mutex mutex_;

    AlignedBuffer<float> residual_, normed_, branch_;     // [chunk, hidden]
    AlignedBuffer<float> q_, k_, v_, attended_;           // [chunk, heads · head_dim]
    AlignedBuffer<float> gate_, up_;                      // [chunk, intermediate]
    AlignedBuffer<float> cos_, sin_;                      // [ropes, chunk, head_dim / 2]
    AlignedBuffer<float> router_, expert_in_, expert_out_;
    AlignedBuffer<float> logits_;                         // [kScoreRows, vocab]
    std::vector<int32_t> chosen_;                         // [chunk, experts_per_token]
    std::vector<int32_t> routed_;                         // tokens of one expert
    std::vector<float> routed_weight_;
};

}  // namespace gnomon
