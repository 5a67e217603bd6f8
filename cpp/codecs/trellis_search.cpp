#include "codecs/trellis_search.h"

namespace gnomon {

void trellis_encode_scalar(const TrellisEncodeJob& job, ThreadPool& pool);
#if defined(__x86_64__)
void trellis_encode_avx2(const TrellisEncodeJob& job, ThreadPool& pool);
void trellis_encode_avx512(const TrellisEncodeJob& job, ThreadPool& pool);
#endif

void trellis_encode(const TrellisEncodeJob& job, ThreadPool& pool, Isa isa) {
    if (job.count == 0) return;
#if defined(__x86_64__)
    if (isa == Isa::avx512) return trellis_encode_avx512(job, pool);
    if (isa == Isa::avx2) return trellis_encode_avx2(job, pool);
#endif
    (void)isa;
    trellis_encode_scalar(job, pool);
}

}  // namespace gnomon
