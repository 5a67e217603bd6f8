#define GNOMON_SIMD_NAMESPACE neon
#define GNOMON_SIMD_NEON 1
#include "kernels/fill_table.h"

namespace gnomon {

const KernelTable& neon_kernels() { return neon::kTable; }

}  // namespace gnomon
