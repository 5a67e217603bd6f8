#define GNOMON_LANES 8  // as many places as the narrowest search has
#include "codecs/beam_search_rows.h"

namespace gnomon {

void beam_search_avx512(const BeamSearchJob& job, ThreadPool& pool) { search(job, pool); }

}  // namespace gnomon
