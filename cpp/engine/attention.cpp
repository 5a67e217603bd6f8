#include "engine/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "core/parallel.h"

namespace gnomon {
namespace {

// calloc hands out untouched pages for large blocks, unlike a buffer that is filled with zeros.
template <class T>
T* untouched(int64_t count) {
    auto* memory = static_cast<T*>(std::calloc(static_cast<std::size_t>(count), sizeof(T)));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

KvCache::Half::Half(int64_t vectors, int64_t vector_bytes, bool has_scales)
    : memory(untouched<uint8_t>(vectors * vector_bytes)),
      scales(has_scales ? untouched<float>(vectors) : nullptr) {}

KvCache::KvCache(const AttentionShape& shape, int64_t capacity, Dtype dtype)
    : kv_heads_(shape.kv_heads),
      head_dim_(shape.head_dim),
      capacity_(capacity),
      vector_bytes_(shape.head_dim * dtype_bytes(dtype)),
      position_bytes_(position_bytes(shape, dtype)),
      dtype_(dtype),
      keys_(kv_heads_ * capacity, vector_bytes_, dtype == Dtype::i8),
      values_(kv_heads_ * capacity, vector_bytes_, dtype == Dtype::i8) {}

int64_t KvCache::position_bytes(const AttentionShape& shape, Dtype dtype) {
    const int64_t scale_bytes = dtype == Dtype::i8 ? 4 : 0;
    return 2 * shape.kv_heads * (shape.head_dim * dtype_bytes(dtype) + scale_bytes);
}

void KvCache::write_one(const KernelTable& k, const float* from, const Half& half, int64_t head,
                        int64_t position) {
    uint8_t* to = half.numbers(*this, head, position);
    if (dtype_ == Dtype::i8) {
        int32_t sum;
        *half.scale(*this, head, position) = k.quantize(from, head_dim_, reinterpret_cast<int8_t*>(to), &sum);
    } else if (dtype_ == Dtype::f16) {
        k.to_f16(from, head_dim_, reinterpret_cast<uint16_t*>(to));
    } else {
        std::memcpy(to, from, static_cast<std::size_t>(head_dim_) * 4);
    }
}

void KvCache::write(const KernelTable& k, int64_t position, const float* key, const float* value) {
    for (int64_t head = 0; head < kv_heads_; ++head) {
        write_one(k, key + head * head_dim_, keys_, head, position);
        write_one(k, value + head * head_dim_, values_, head, position);
    }
}

void KvCache::copy(const KvCache& from, int64_t count) {
    for (const auto half : {&KvCache::keys_, &KvCache::values_})
        for (int64_t head = 0; head < kv_heads_; ++head) {
            const Half& source = from.*half;
            const Half& target = this->*half;
            std::memcpy(target.numbers(*this, head, 0), source.numbers(from, head, 0),
                        static_cast<std::size_t>(count * vector_bytes_));
            if (target.scales)
                std::memcpy(target.scale(*this, head, 0), source.scale(from, head, 0),
                            static_cast<std::size_t>(count) * sizeof(float));
        }
}

AttentionScratch::AttentionScratch(const AttentionShape& shape, int threads) {
    const int64_t group = shape.heads / shape.kv_heads;
    block_tokens_ = std::max<int64_t>(1, kRows / group);
    row_floats_ = block_tokens_ * group;
    vector_floats_ = row_floats_ * shape.head_dim;
    slot_floats_ = (3 * vector_floats_ + row_floats_ * (kKeys + 2) + 15) / 16 * 16;
    memory_.resize(threads * slot_floats_);
}

// Softmax over blocks of keys, with what came before scaled down whenever a higher score turns up
// (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135). The blocks begin at
// multiples of kKeys, so that a query's sums do not depend on the queries beside it.
struct Attention {
    const KernelTable& k;
    const AttentionShape& shape;
    const KvCache& cache;
    const QueryBlock& block;
    int64_t head, window;  // `head` of keys and values
    int64_t group, rows;   // query heads that share `head`; queries
    float *queries, *sums, *part, *scores, *peaks, *totals;

    Attention(const KernelTable& table, const AttentionShape& s, const QueryBlock& b, int64_t layer,
              int64_t kv_head, int64_t w, AttentionScratch& scratch, int64_t slot)
        : k(table), shape(s), cache((*b.caches)[static_cast<std::size_t>(layer)]), block(b), head(kv_head),
          window(w), group(s.heads / s.kv_heads), rows(b.count * group) {
        queries = scratch.memory_.data() + slot * scratch.slot_floats_;
        sums = queries + scratch.vector_floats_;
        part = sums + scratch.vector_floats_;
        scores = part + scratch.vector_floats_;
        peaks = scores + scratch.row_floats_ * AttentionScratch::kKeys;
        totals = peaks + scratch.row_floats_;
    }

    int64_t first_key(int64_t position) const {
        return window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
    }

    // One query's scores of keys from … to − 1 become weights, and its sums are brought to their scale.
    void weigh(int64_t row, int64_t from, int64_t to) {
        const int64_t position = block.position + row / group, dim = shape.head_dim;
        const int64_t low = std::clamp(first_key(position), from, to) - from;
        const int64_t high = std::clamp(position + 1, from, to) - from, seen = high - low;
        float* s = scores + row * AttentionScratch::kKeys;
        if (seen > 0) {
            if (cache.dtype() == Dtype::i8)
                k.multiply(s + low, cache.key_scales(head, from + low), seen, s + low);
            if (shape.softcap > 0.0f) k.softcap(shape.softcap, seen, s + low);
            const float peak = std::max(peaks[row], k.maximum(s + low, seen));
            const float factor = std::exp(peaks[row] - peak);
            totals[row] = totals[row] * factor + k.exp_and_sum(peak, seen, s + low);
            if (factor != 1.0f) k.scale(factor, dim, sums + row * dim);
            peaks[row] = peak;
            if (cache.dtype() == Dtype::i8)
                k.multiply(s + low, cache.value_scales(head, from + low), seen, s + low);
        }
        std::fill(s, s + low, 0.0f);
        std::fill(s + high, s + (to - from), 0.0f);
    }

    void add_keys(int64_t from, int64_t to) {
        const int64_t dim = shape.head_dim;
        const auto type = static_cast<int>(cache.dtype());
        k.dense[type](cache.keys(head, from), dim, to - from, dim, queries, dim, rows, scores,
                      AttentionScratch::kKeys);
        for (int64_t row = 0; row < rows; ++row) weigh(row, from, to);
        k.weighted_sum[type](cache.values(head, from), dim, to - from, dim, scores, AttentionScratch::kKeys,
                             rows, part, dim);
        k.add(part, rows * dim, sums);
    }

    void run(const float* q, float* y) {
        const int64_t dim = shape.head_dim, width = group * dim, stride = shape.heads * dim;
        const int64_t offset = block.row * stride + head * width;
        for (int64_t t = 0; t < block.count; ++t)
            std::memcpy(queries + t * width, q + offset + t * stride, static_cast<std::size_t>(width) * 4);
        k.scale(shape.scale, rows * dim, queries);
        std::fill(sums, sums + rows * dim, 0.0f);
        std::fill(peaks, peaks + rows, -std::numeric_limits<float>::infinity());
        std::fill(totals, totals + rows, 0.0f);
        const int64_t end = block.position + block.count;
        for (int64_t from = first_key(block.position), to; from < end; from = to) {
            to = std::min(end, (from / AttentionScratch::kKeys + 1) * AttentionScratch::kKeys);
            add_keys(from, to);
        }
        for (int64_t row = 0; row < rows; ++row) k.scale(1.0f / totals[row], dim, sums + row * dim);
        for (int64_t t = 0; t < block.count; ++t)
            std::memcpy(y + offset + t * stride, sums + t * width, static_cast<std::size_t>(width) * 4);
    }
};

void attend(ThreadPool& pool, const KernelTable& k, const AttentionShape& shape, AttentionScratch& scratch,
            const QueryBlock* blocks, int64_t count, int64_t layer, const float* q, int64_t window, float* y) {
    for_each(pool, count * shape.kv_heads, [&](int64_t slot, int64_t task) {
        const QueryBlock& block = blocks[task / shape.kv_heads];
        Attention(k, shape, block, layer, task % shape.kv_heads, window, scratch, slot).run(q, y);
    });
}

}  // namespace gnomon
