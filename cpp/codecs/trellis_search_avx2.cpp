#include "codecs/trellis_search_blocks.h"

namespace gnomon {

void trellis_encode_avx2(const TrellisEncodeJob& job, ThreadPool& pool) { encode(job, pool); }

}  // namespace gnomon
