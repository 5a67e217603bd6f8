#define GNOMON_LANES 4
#include "codecs/beam_search_rows.h"

namespace gnomon {

void beam_search_scalar(const BeamSearchJob& job, ThreadPool& pool) { search(job, pool); }

}  // namespace gnomon
