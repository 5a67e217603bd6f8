#define GNOMON_LANES 4
#include "codecs/viterbi_search.h"

namespace gnomon {

void trellis_encode_scalar(const TrellisEncodeJob& job, ThreadPool& pool) { encode(job, pool); }

}  // namespace gnomon
