// What has been read of a text, and the ways to read on: one text alone, or several side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/decoder.h"

namespace gnomon {

// The tokens read so far, with the keys and values of every layer.
class Session {
public:
    Session(std::shared_ptr<Decoder> decoder, int64_t capacity, Dtype cache_dtype);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    int64_t length() const { return static_cast<int64_t>(tokens_.size()); }
    int64_t capacity() const { return capacity_; }
    int64_t cache_bytes() const;
    const std::vector<int32_t>& tokens() const { return tokens_; }
    const Decoder& decoder() const { return *decoder_; }

    // Forgets all but the first `length` tokens.
    void truncate(int64_t length);
    // Forgets what a text of `n` tokens does not begin with, and its last token, which is to be read
    // for what follows it. Returns how many tokens are left.
    int64_t keep_prefix(const int32_t* tokens, int64_t n);

    // Forgets everything, and knows then the first `n` tokens of `from` as if it had read them.
    // Throws std::invalid_argument, and changes nothing, if they do not fit or `from` is a session of
    // another decoder or another cache form.
    void copy_prefix(const Session& from, int64_t n);

    // All append n >= 1 tokens. They throw std::invalid_argument, and change nothing, if a
    // token is not in the vocabulary or the capacity is exceeded.
    void forward(const int32_t* tokens, int64_t n, float* last_logits);  // [vocab]
    // Logits [n − first, vocab] after each token from number `first` < n on.
    void forward_all(const int32_t* tokens, int64_t n, int64_t first, float* logits);
    void score(const int32_t* tokens, int64_t n, float* log_probabilities);  // [n − 1]
    void hidden(const int32_t* tokens, int64_t n, float* states);        // [n, hidden]
    // What was expected at each token but the first, [n − 1], and the hidden states [count, n, hidden]
    // after each of the `count` layers with these rising numbers.
    void observe(const int32_t* tokens, int64_t n, const int64_t* layers, int64_t count,
                 Expectation* expectations, float* states);

private:
    friend struct Reader;

    std::shared_ptr<Decoder> decoder_;
    int64_t capacity_;
    std::vector<KvCache> caches_;
    std::vector<int32_t> tokens_;
};

// Tokens that a session is to read next.
struct Reading {
    Session* session;
    const int32_t* tokens;
    int64_t n;
};

// Lets several sessions of one decoder read on together, so that each weight is read once for all
// their tokens; logits [count, vocab] after each one's last. The numbers are those of `forward` one by
// one. Throws std::invalid_argument, and changes no session, for what `forward` does not take, for
// sessions of several decoders, and for one that is named twice.
void forward_together(const Reading* readings, int64_t count, float* logits);

}  // namespace gnomon
