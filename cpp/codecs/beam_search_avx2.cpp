#define GNOMON_LANES 8
#include "codecs/beam_search_rows.h"

namespace gnomon {

void beam_search_avx2(const BeamSearchJob& job, ThreadPool& pool) { search(job, pool); }

}  // namespace gnomon
