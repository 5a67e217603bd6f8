#include "codecs/beam_search.h"

namespace gnomon {

void beam_search_scalar(const BeamSearchJob& job, ThreadPool& pool);
#if defined(__x86_64__)
void beam_search_avx2(const BeamSearchJob& job, ThreadPool& pool);
#endif

void beam_search(const BeamSearchJob& job, ThreadPool& pool, Isa isa) {
    if (job.rows == 0 || job.columns == 0) return;
#if defined(__x86_64__)
    if (isa != Isa::scalar) return beam_search_avx2(job, pool);  // eight lanes are what it can use
#endif
    (void)isa;
    beam_search_scalar(job, pool);
}

}  // namespace gnomon
