// Grouped-query attention (arXiv 2305.13245) over a cache of keys and values, causal, with an
// optional sliding window.
#pragma once

#include <cstdint>

#include "core/aligned.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace gnomon {

struct AttentionShape {
    int64_t heads = 0, kv_heads = 0, head_dim = 0;
    float scale = 1.0f;
    float softcap = 0.0f;  // 0: none
};

// Keys and values of one layer, each [kv_heads, capacity, head_dim], in f32 or f16. Pages of memory
// are only taken when written.
class KvCache {
public:
    KvCache(const AttentionShape& shape, int64_t capacity, Dtype dtype);
    ~KvCache();
    KvCache(KvCache&& other) noexcept;
    KvCache(const KvCache&) = delete;
    KvCache& operator=(const KvCache&) = delete;

    // Stores the key and value, each [kv_heads · head_dim], of one position.
    void write(const KernelTable& k, int64_t position, const float* key, const float* value);

    const uint8_t* keys(int64_t head, int64_t position) const { return keys_ + offset(head, position); }
    const uint8_t* values(int64_t head, int64_t position) const { return values_ + offset(head, position); }
    Dtype dtype() const { return dtype_; }
    int64_t size_bytes() const { return 2 * offset(kv_heads_, 0); }

private:
    int64_t offset(int64_t head, int64_t position) const {
        return (head * capacity_ + position) * head_dim_ * dtype_bytes(dtype_);
    }
    void write_one(const KernelTable& k, const float* from, uint8_t* to) const;

    int64_t kv_heads_, head_dim_, capacity_;
    Dtype dtype_;
    uint8_t *keys_ = nullptr, *values_ = nullptr;
};

// Scratch memory for `attend`, one part a thread.
class AttentionScratch {
public:
    AttentionScratch(const AttentionShape& shape, int64_t capacity, int threads);

private:
    friend struct Attention;
    static constexpr int64_t kRows = 16;  // queries that share a pass over the keys
    int64_t block_tokens_, vector_floats_, score_stride_, slot_floats_;
    AlignedBuffer<float> memory_;
};

// q [n, heads · head_dim] are queries at positions past … past + n − 1, whose keys and values the
// cache already holds; y has q's shape. window = 0: everything before.
void attend(ThreadPool& pool, const KernelTable& k, const AttentionShape& shape, const KvCache& cache,
            AttentionScratch& scratch, const float* q, int64_t past, int64_t n, int64_t window, float* y);

}  // namespace gnomon
