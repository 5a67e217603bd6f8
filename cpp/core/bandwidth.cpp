#include "core/bandwidth.h"

#include <algorithm>
#include <chrono>

#include "core/aligned.h"
#include "core/parallel.h"

namespace gnomon {

double read_bandwidth(ThreadPool& pool, const KernelTable& k, int64_t size_bytes, int passes) {
    constexpr int64_t kPiece = 64 * 1024;  // floats a thread takes at once
    const int64_t pieces = std::max<int64_t>(1, size_bytes / 4 / kPiece);
    const AlignedBuffer<float> memory(pieces * kPiece);
    AlignedBuffer<float> found(pieces);
    double best = 0.0;
    for (int pass = 0; pass < passes; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        for_each(pool, pieces, [&](int64_t, int64_t i) {
            found[i] = k.maximum(memory.data() + i * kPiece, kPiece);  // reads, and does next to nothing else
        });
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(pieces * kPiece * 4) / seconds.count());
    }
    return best;
}

}  // namespace gnomon
