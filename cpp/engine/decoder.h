// A decoder-only transformer: its layers, and the forward pass of a piece of text.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/attention.h"
#include "engine/linear.h"

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

class Decoder {
public:
    static constexpr int64_t kChunk = 256;  // tokens that pass the layers together

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
    // Runs 1 to kChunk tokens that follow `past` others, adding to the caches. Returns the hidden
    // states after the final norm [n, hidden], valid until the next call.
    const float* run(const int32_t* tokens, int64_t n, int64_t past, std::vector<KvCache>& caches,
                     AttentionScratch& scratch);
    // Logits [n, vocab] of hidden states [n, hidden], n <= kChunk.
    void logits(const float* hidden, int64_t n, float* y);
    // y[t] = log softmax(logits of hidden[t])[targets[t]].
    void log_probabilities(const float* hidden, const int32_t* targets, int64_t n, float* y);

private:
    void check() const;
    void embed(const int32_t* tokens, int64_t n);
    void turn(int64_t n, int64_t past);
    void attention(const Block& block, int64_t n, int64_t past, KvCache& cache, AttentionScratch& scratch);
    void feed_forward(const FeedForward& part, const float* x, int64_t n, float* y);
    void mixture(const Block& block, int64_t n);
    void norm(const std::vector<float>& weight, const float* x, int64_t n, float* y);
    void add_residual(const std::vector<float>& post_norm, float* x, int64_t n);

    DecoderConfig config_;
    LinearPtr embedding_, head_;
    std::vector<Block> blocks_;
    std::vector<float> final_norm_;
    const KernelTable& kernels_;
    ThreadPool pool_;
    Workspace workspace_;
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

// The tokens read so far, as keys and values of every layer.
class Session {
public:
    Session(std::shared_ptr<Decoder> decoder, int64_t capacity, Dtype cache_dtype);

    int64_t length() const { return length_; }
    int64_t capacity() const { return capacity_; }
    int64_t cache_bytes() const;
    const Decoder& decoder() const { return *decoder_; }

    // Forgets all but the first `length` tokens.
    void truncate(int64_t length);

    // All four append n >= 1 tokens. They throw std::invalid_argument, and change nothing, if a
    // token is not in the vocabulary or the capacity is exceeded.
    void forward(const int32_t* tokens, int64_t n, float* last_logits);  // [vocab]
    // Logits [n − first, vocab] after each token from number `first` < n on.
    void forward_all(const int32_t* tokens, int64_t n, int64_t first, float* logits);
    void score(const int32_t* tokens, int64_t n, float* log_probabilities);  // [n − 1]
    void hidden(const int32_t* tokens, int64_t n, float* states);        // [n, hidden]

private:
    template <class Use>
    void append(const int32_t* tokens, int64_t n, const Use& use);

    std::shared_ptr<Decoder> decoder_;
    int64_t capacity_, length_ = 0;
    std::vector<KvCache> caches_;
    AttentionScratch scratch_;
};

}  // namespace gnomon
