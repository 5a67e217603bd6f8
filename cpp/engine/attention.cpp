#include "engine/attention.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/parallel.h"

namespace gnomon {

KvCache::KvCache(const AttentionShape& shape, int64_t capacity, Dtype dtype)
    : kv_heads_(shape.kv_heads), head_dim_(shape.head_dim), capacity_(capacity), dtype_(dtype) {
    // calloc hands out untouched pages for large blocks, unlike a buffer that is filled with zeros.
    const auto bytes = static_cast<std::size_t>(offset(kv_heads_, 0));
    keys_ = static_cast<uint8_t*>(std::calloc(bytes, 1));
    values_ = static_cast<uint8_t*>(std::calloc(bytes, 1));
    if (keys_ == nullptr || values_ == nullptr) {
        std::free(keys_);
        std::free(values_);
        throw std::bad_alloc();
    }
}

KvCache::~KvCache() {
    std::free(keys_);
    std::free(values_);
}

KvCache::KvCache(KvCache&& other) noexcept
    : kv_heads_(other.kv_heads_),
      head_dim_(other.head_dim_),
      capacity_(other.capacity_),
      dtype_(other.dtype_),
      keys_(other.keys_),
      values_(other.values_) {
    other.keys_ = other.values_ = nullptr;
}

void KvCache::write_one(const KernelTable& k, const float* from, uint8_t* to) const {
    if (dtype_ == Dtype::f16)
        k.to_f16(from, head_dim_, reinterpret_cast<uint16_t*>(to));
    else
        std::memcpy(to, from, static_cast<std::size_t>(head_dim_) * 4);
}

void KvCache::write(const KernelTable& k, int64_t position, const float* key, const float* value) {
    for (int64_t head = 0; head < kv_heads_; ++head) {
        write_one(k, key + head * head_dim_, keys_ + offset(head, position));
        write_one(k, value + head * head_dim_, values_ + offset(head, position));
    }
}

AttentionScratch::AttentionScratch(const AttentionShape& shape, int64_t capacity, int threads) {
    const int64_t group = shape.heads / shape.kv_heads;
    block_tokens_ = std::max<int64_t>(1, kRows / group);
    vector_floats_ = block_tokens_ * group * shape.head_dim;
    score_stride_ = (capacity + 15) / 16 * 16;
    slot_floats_ = (2 * vector_floats_ + block_tokens_ * group * score_stride_ + 15) / 16 * 16;
    memory_.resize(threads * slot_floats_);
}

struct Attention {
    const KernelTable& k;
    const AttentionShape& shape;
    const KvCache& cache;
    AttentionScratch& scratch;
    const float* q;
    int64_t past, window;
    float* y;

    int64_t first_key(int64_t token) const {
        return window == 0 ? 0 : std::max<int64_t>(0, past + token - window + 1);
    }

    // Tokens first … first + count − 1, the query heads that share key head `head`.
    void run_block(int64_t slot, int64_t head, int64_t first, int64_t count) const {
        const int64_t group = shape.heads / shape.kv_heads, dim = shape.head_dim;
        const int64_t rows = count * group, width = group * dim, q_stride = shape.heads * dim;
        float* queries = scratch.memory_.data() + slot * scratch.slot_floats_;
        float* sums = queries + scratch.vector_floats_;
        float* scores = sums + scratch.vector_floats_;
        for (int64_t t = 0; t < count; ++t)
            std::memcpy(queries + t * width, q + (first + t) * q_stride + head * width,
                        static_cast<std::size_t>(width) * 4);
        k.scale(shape.scale, rows * dim, queries);

        const int64_t begin = first_key(first), end = past + first + count;
        const auto type = static_cast<int>(cache.dtype());
        k.dense[type](cache.keys(head, begin), dim, end - begin, dim, queries, dim, rows, scores,
                      scratch.score_stride_);
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t token = first + row / group;
            const int64_t low = first_key(token) - begin, high = past + token + 1 - begin;
            float* s = scores + row * scratch.score_stride_;
            if (shape.softcap > 0.0f) k.softcap(shape.softcap, high - low, s + low);
            const float total = k.exp_and_sum(k.maximum(s + low, high - low), high - low, s + low);
            k.scale(1.0f / total, high - low, s + low);
            std::fill(s, s + low, 0.0f);
            std::fill(s + high, s + (end - begin), 0.0f);
        }
        k.weighted_sum[type](cache.values(head, begin), dim, end - begin, dim, scores,
                             scratch.score_stride_, rows, sums, dim);
        for (int64_t t = 0; t < count; ++t)
            std::memcpy(y + (first + t) * q_stride + head * width, sums + t * width,
                        static_cast<std::size_t>(width) * 4);
    }

    void run(ThreadPool& pool, int64_t n) const {
        const int64_t step = scratch.block_tokens_, blocks = (n + step - 1) / step;
        for_each(pool, blocks * shape.kv_heads, [&](int64_t slot, int64_t task) {
            // The last blocks see the most keys: they go first, so that no thread ends alone.
            const int64_t first = (blocks - 1 - task / shape.kv_heads) * step;
            run_block(slot, task % shape.kv_heads, first, std::min(step, n - first));
        });
    }
};

void attend(ThreadPool& pool, const KernelTable& k, const AttentionShape& shape, const KvCache& cache,
            AttentionScratch& scratch, const float* q, int64_t past, int64_t n, int64_t window, float* y) {
    Attention{k, shape, cache, scratch, q, past, window, y}.run(pool, n);
}

}  // namespace gnomon
