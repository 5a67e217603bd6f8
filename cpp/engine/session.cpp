#include "engine/session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace gnomon {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

// A layer's cache grows with the capacity; its size must not overflow.
int64_t checked_capacity(int64_t capacity, const AttentionShape& a) {
    if (capacity < 1) refuse("A session needs room for at least one token.");
    if (capacity > std::numeric_limits<int64_t>::max() / 4 / KvCache::position_bytes(a, Dtype::f32))
        refuse("A session of " + std::to_string(capacity) + " tokens is larger than any memory.");
    return capacity;
}

}  // namespace

Session::Session(std::shared_ptr<Decoder> decoder, int64_t capacity, Dtype cache_dtype)
    : decoder_(std::move(decoder)), capacity_(checked_capacity(capacity, decoder_->config().attention)) {
    if (cache_dtype == Dtype::bf16) refuse("A cache is f32, f16 or i8.");
    caches_.reserve(static_cast<std::size_t>(decoder_->layers()));
    for (int64_t i = 0; i < decoder_->layers(); ++i)
        caches_.emplace_back(decoder_->config().attention, capacity, cache_dtype);
    tokens_.reserve(static_cast<std::size_t>(capacity));
}

int64_t Session::cache_bytes() const {
    int64_t total = 0;
    for (const KvCache& cache : caches_) total += cache.size_bytes();
    return total;
}

void Session::truncate(int64_t length) {
    if (length < 0 || length > this->length())
        refuse("Cannot truncate a session of " + std::to_string(this->length()) + " tokens to " +
               std::to_string(length) + ".");
    tokens_.resize(static_cast<std::size_t>(length));
}

int64_t Session::keep_prefix(const int32_t* tokens, int64_t n) {
    if (n < 1) refuse("There must be at least one token.");
    const auto most = tokens_.begin() + std::min(n - 1, length());
    truncate(std::mismatch(tokens_.begin(), most, tokens).first - tokens_.begin());
    return length();
}

void Session::copy_prefix(const Session& from, int64_t n) {
    if (from.decoder_ != decoder_) refuse("The sessions belong to several decoders.");
    if (from.caches_[0].dtype() != caches_[0].dtype()) refuse("The sessions' caches have different forms.");
    if (n < 0 || n > from.length() || n > capacity_)
        refuse("Cannot copy " + std::to_string(n) + " tokens of a session that holds " +
               std::to_string(from.length()) + " to one for " + std::to_string(capacity_) + ".");
    if (&from == this) return truncate(n);
    std::lock_guard<std::mutex> lock(decoder_->mutex());
    for (std::size_t i = 0; i < caches_.size(); ++i) caches_[i].copy(from.caches_[i], n);
    tokens_.assign(from.tokens_.begin(), from.tokens_.begin() + n);
}

// ------------------------------------------------------------------------------------- reading

struct Reader {
    // Tokens begin … begin + count − 1 of a reading, from row `row` of a run on.
    struct Stretch {
        int64_t reading, begin, count, row;
    };

    const Reading* readings;
    int64_t count;

    Decoder& decoder() const { return *readings[0].session->decoder_; }

    // Messages are only put together where they are needed: a step must not allocate.
    void check() const {
        for (int64_t i = 0; i < count; ++i) {
            const auto& [session, tokens, n] = readings[i];
            if (session->decoder_.get() != &decoder()) refuse("The sessions belong to several decoders.");
            for (int64_t other = 0; other < i; ++other)
                if (readings[other].session == session) refuse("A session is named twice.");
            if (n < 1) refuse("There must be at least one token.");
            if (n > session->capacity() - session->length())
                refuse(std::to_string(n) + " more tokens do not fit a session that holds " +
                       std::to_string(session->length()) + " of " + std::to_string(session->capacity()) + ".");
            const int64_t vocab = decoder().config().vocab;
            for (int64_t t = 0; t < n; ++t)
                if (tokens[t] < 0 || tokens[t] >= vocab)
                    refuse("Token " + std::to_string(tokens[t]) + " is not in the vocabulary of " +
                           std::to_string(vocab) + ".");
        }
    }

    // Fills one run after the other with rows of the readings, in their order, and calls
    // use(hidden [rows, hidden], stretches, how many) after each.
    template <class Use>
    void run(const Use& use, Taps taps = {}) const {
        std::lock_guard<std::mutex> lock(decoder().mutex());
        check();
        std::array<Row, Decoder::kChunk> rows;
        std::array<Stretch, Decoder::kChunk> stretches;
        for (int64_t reading = 0, begin = 0; reading < count;) {
            int64_t n = 0, used = 0;
            while (reading < count && n < Decoder::kChunk) {
                const auto& [session, tokens, size] = readings[reading];
                const Stretch s{reading, begin, std::min(Decoder::kChunk - n, size - begin), n};
                for (int64_t i = 0; i < s.count; ++i)
                    rows[static_cast<std::size_t>(n++)] = {tokens[begin + i], session->length() + i,
                                                           &session->caches_};
                stretches[static_cast<std::size_t>(used++)] = s;
                begin += s.count;
                if (begin == size) ++reading, begin = 0;
            }
            float* hidden = decoder().run(rows.data(), n, taps);
            if (taps.count > 0) taps.states += n * decoder().config().hidden;
            for (int64_t i = 0; i < used; ++i) {
                const Stretch& s = stretches[static_cast<std::size_t>(i)];
                const auto& [session, tokens, size] = readings[s.reading];
                session->tokens_.insert(session->tokens_.end(), tokens + s.begin, tokens + s.begin + s.count);
            }
            use(hidden, stretches.data(), used);
        }
    }
};

void forward_together(const Reading* readings, int64_t count, float* logits) {
    if (count < 1) refuse("There must be at least one session.");
    const Reader reader{readings, count};
    Decoder& decoder = reader.decoder();
    const int64_t width = decoder.config().hidden;
    reader.run([&](float* hidden, const Reader::Stretch* stretches, int64_t used) {
        // Readings that end in this run follow one another: their last rows move to the front.
        int64_t ended = 0, first = 0;
        for (int64_t i = 0; i < used; ++i) {
            const Reader::Stretch& s = stretches[i];
            if (s.begin + s.count < readings[s.reading].n) continue;
            if (ended == 0) first = s.reading;
            std::memmove(hidden + ended++ * width, hidden + (s.row + s.count - 1) * width,
                         static_cast<std::size_t>(width) * 4);
        }
        if (ended > 0) decoder.logits(hidden, ended, logits + first * decoder.config().vocab);
    });
}

void Session::forward(const int32_t* tokens, int64_t n, float* last_logits) {
    const Reading reading{this, tokens, n};
    forward_together(&reading, 1, last_logits);
}

void Session::forward_all(const int32_t* tokens, int64_t n, int64_t first, float* logits) {
    if (first < 0 || first >= std::max<int64_t>(n, 1))
        refuse("Logits from token " + std::to_string(first) + " on were asked for, of " + std::to_string(n) +
               " tokens.");
    const Reading reading{this, tokens, n};
    Reader{&reading, 1}.run([&](const float* hidden, const Reader::Stretch* s, int64_t) {
        const int64_t skipped = std::clamp<int64_t>(first - s->begin, 0, s->count);
        if (skipped == s->count) return;
        decoder_->logits(hidden + skipped * decoder_->config().hidden, s->count - skipped,
                         logits + (s->begin + skipped - first) * decoder_->config().vocab);
    });
}

void Session::score(const int32_t* tokens, int64_t n, float* log_probabilities) {
    const Reading reading{this, tokens, n};
    Reader{&reading, 1}.run([&](const float* hidden, const Reader::Stretch* s, int64_t) {
        const int64_t known = s->begin + s->count == n ? s->count - 1 : s->count;
        decoder_->log_probabilities(hidden, tokens + s->begin + 1, known, log_probabilities + s->begin);
    });
}

void Session::hidden(const int32_t* tokens, int64_t n, float* states) {
    const Reading reading{this, tokens, n};
    Reader{&reading, 1}.run([&](const float* hidden, const Reader::Stretch* s, int64_t) {
        const int64_t width = decoder_->config().hidden;
        std::memcpy(states + s->begin * width, hidden, static_cast<std::size_t>(s->count * width) * 4);
    });
}

void Session::observe(const int32_t* tokens, int64_t n, const int64_t* layers, int64_t count,
                      Expectation* expectations, float* states) {
    for (int64_t i = 0; i < count; ++i)
        if (layers[i] < 0 || layers[i] >= decoder_->layers() || (i > 0 && layers[i] <= layers[i - 1]))
            refuse("Layers must rise and be of 0 … " + std::to_string(decoder_->layers() - 1) + ".");
    const Reading reading{this, tokens, n};
    Reader{&reading, 1}.run(
        [&](const float* hidden, const Reader::Stretch* s, int64_t) {
            const int64_t known = s->begin + s->count == n ? s->count - 1 : s->count;
            decoder_->expectations(hidden, tokens + s->begin + 1, known, expectations + s->begin);
        },
        {layers, count, states, n});
}

}  // namespace gnomon
