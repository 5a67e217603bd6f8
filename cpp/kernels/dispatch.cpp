#include <stdexcept>
#include <string>

#include "kernels/table.h"

namespace gnomon {

const KernelTable& kernels(Isa isa) {
    if (!is_available(isa))
        throw std::invalid_argument(std::string("This CPU cannot run ") + isa_name(isa) + " kernels.");
#if defined(__x86_64__)
    if (isa == Isa::avx512) return avx512_kernels();
    if (isa == Isa::avx2) return avx2_kernels();
#elif defined(__aarch64__)
    if (isa == Isa::neon) return neon_kernels();
#endif
    return scalar_kernels();
}

}  // namespace gnomon
