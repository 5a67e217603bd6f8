// Grouped-query attention (arXiv 2305.13245) over caches of keys and values, causal, with an
// optional sliding window. Queries of several texts run together, each over its own cache.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/aligned.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace gnomon {

struct AttentionShape {
    int64_t heads = 0, kv_heads = 0, head_dim = 0;
    float scale = 1.0f;
    float softcap = 0.0f;  // 0: none
};

// Keys and values of one layer, each [kv_heads, capacity, head_dim], in f32, f16 or i8; i8 has a
// scale for each head and position. Pages of memory are only taken when written.
class KvCache {
public:
    KvCache(const AttentionShape& shape, int64_t capacity, Dtype dtype);

    // Bytes of one position.
    static int64_t position_bytes(const AttentionShape& shape, Dtype dtype);

    // Stores the key and value, each [kv_heads · head_dim], of one position.
    void write(const KernelTable& k, int64_t position, const float* key, const float* value);

    // Takes over the first `count` positions of a cache of the same shape and form.
    void copy(const KvCache& from, int64_t count);

    const uint8_t* keys(int64_t head, int64_t position) const { return keys_.numbers(*this, head, position); }
    const uint8_t* values(int64_t head, int64_t position) const { return values_.numbers(*this, head, position); }
    // From `position` on; null unless the cache is i8.
    const float* key_scales(int64_t head, int64_t position) const { return keys_.scale(*this, head, position); }
    const float* value_scales(int64_t head, int64_t position) const {
        return values_.scale(*this, head, position);
    }
    Dtype dtype() const { return dtype_; }
    int64_t size_bytes() const { return capacity_ * position_bytes_; }

private:
    struct Free {
        void operator()(void* p) const { std::free(p); }
    };
    struct Half {  // keys, or values
        std::unique_ptr<uint8_t, Free> memory;
        std::unique_ptr<float, Free> scales;

        Half(int64_t vectors, int64_t vector_bytes, bool has_scales);
        uint8_t* numbers(const KvCache& cache, int64_t head, int64_t position) const {
            return memory.get() + (head * cache.capacity_ + position) * cache.vector_bytes_;
        }
        float* scale(const KvCache& cache, int64_t head, int64_t position) const {
            return scales ? scales.get() + head * cache.capacity_ + position : nullptr;
        }
    };
    void write_one(const KernelTable& k, const float* from, const Half& half, int64_t head, int64_t position);

    int64_t kv_heads_, head_dim_, capacity_, vector_bytes_, position_bytes_;
    Dtype dtype_;
    Half keys_, values_;
};

// Queries of consecutive tokens of one text, at most AttentionScratch::block_tokens() of them, which
// share a pass over its keys.
struct QueryBlock {
    const std::vector<KvCache>* caches;  // one a layer; they hold the tokens' own keys already
    int64_t row;       // of the first query in q and y
    int64_t position;  // of the first query's token in its text
    int64_t count;
};

// Scratch memory for `attend`, one part a thread, whatever the length of a text.
class AttentionScratch {
public:
    AttentionScratch(const AttentionShape& shape, int threads);

    int64_t block_tokens() const { return block_tokens_; }

private:
    friend struct Attention;
    static constexpr int64_t kRows = 16;   // queries that share a pass over the keys
    static constexpr int64_t kKeys = 128;  // keys whose scores are held at once
    int64_t block_tokens_, vector_floats_, row_floats_, slot_floats_;
    AlignedBuffer<float> memory_;
};

// q [rows, heads · head_dim] are the queries of `count` blocks in layer `layer`; y has q's shape.
// window = 0: everything before. The same numbers come out whatever the blocks. Allocates nothing.
void attend(ThreadPool& pool, const KernelTable& k, const AttentionShape& shape, AttentionScratch& scratch,
            const QueryBlock* blocks, int64_t count, int64_t layer, const float* q, int64_t window, float* y);

}  // namespace gnomon
